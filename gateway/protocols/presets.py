"""What an operator lets every request of a model begin with."""

import msgspec

from gateway.protocols.canonical import Call, Message, Role, Text, text_of
from gateway.protocols.traits import Traits

_SYSTEM = frozenset((Role.SYSTEM, Role.DEVELOPER))


def preset(call: Call, traits: Traits) -> Call:
    """The request with the preset system message, told in a way that the server understands."""
    messages = call.messages
    if traits.system_prompt is not None:
        rest = messages[1:] if messages and messages[0].role in _SYSTEM else messages
        messages = (Message(Role.SYSTEM, (Text(traits.system_prompt),)), *rest)
    if not traits.system_role:
        messages = _without_system(messages)
    return msgspec.structs.replace(call, messages=messages)


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """What the system was told, the first user's message begins with."""
    told = "\n\n".join(text_of(m.items, "\n\n") for m in messages if m.role in _SYSTEM)
    rest = [message for message in messages if message.role not in _SYSTEM]
    if not told:
        return tuple(rest)
    place = next((i for i, m in enumerate(rest) if m.role is Role.USER), None)
    if place is None:
        return (Message(Role.USER, (Text(told),)), *rest)
    first = rest[place]
    rest[place] = msgspec.structs.replace(first, items=(Text(told), *first.items))
    return tuple(rest)
