"""What a vendor must get back with a tool call and a client's dialect cannot carry.

One vendor's thoughts are signed, another's tool calls hold a signature of their own; both
refuse the result of a tool call that comes back without. What cannot travel through the
client is kept by the id of the tool call.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.protocols.canonical import Call, Item, Json, Message, Reasoning, Role, ToolCall


class ToolState(msgspec.Struct, array_like=True, frozen=True):
    extra_content: Json | None = None
    reasoning: tuple[Reasoning, ...] = ()


MOST_CALLS = 200
LONGEST_ID = 256
LARGEST_STATE_BYTES = 64 * 1024

_decoder = msgspec.msgpack.Decoder(ToolState)


def of_items(items: Sequence[Item]) -> dict[str, bytes]:
    """The states of an answer's tool calls, by their ids; only where there is any."""
    signed = tuple(
        item for item in items if isinstance(item, Reasoning) and (item.signature or item.redacted)
    )
    return _kept(
        (item.id, ToolState(item.extra_content, signed))
        for item in items
        if isinstance(item, ToolCall) and (item.extra_content or signed)
    )


def of_extras(extras: Mapping[str, Any]) -> dict[str, bytes]:
    """The states of tool calls that a vendor added something to, by their ids."""
    return _kept(
        (id_, ToolState(extra)) for id_, extra in extras.items() if isinstance(extra, dict)
    )


def _kept(states: Iterable[tuple[str, ToolState]]) -> dict[str, bytes]:
    """What is worth its room: a vendor's own words decide how much of it there is."""
    kept: dict[str, bytes] = {}
    for id_, state in states:
        encoded = _find_encoded(state) if len(id_) <= LONGEST_ID else None
        if encoded is not None:
            kept[id_] = encoded
        if len(kept) == MOST_CALLS:
            break
    return kept


def _find_encoded(state: ToolState) -> bytes | None:
    try:
        encoded = msgspec.msgpack.encode(state)
    except (OverflowError, ValueError, RecursionError):
        return None  # JSON knows larger numbers
    return encoded if len(encoded) <= LARGEST_STATE_BYTES else None


def ids_in(call: Call) -> list[str]:
    """The latest tool calls of the history, whose states are to be looked up."""
    ids = (item.id for message in call.messages for item in _calls(message))
    return [id_ for id_ in ids if len(id_) <= LONGEST_ID][-MOST_CALLS:]


def restored(call: Call, states: Mapping[str, bytes]) -> Call:
    """The request with what was kept of its tool calls put back in its place."""
    if not states:
        return call
    known = {id_: _decoder.decode(state) for id_, state in states.items()}
    messages = tuple(
        _restore(message, known) if message.role is Role.ASSISTANT else message
        for message in call.messages
    )
    return msgspec.structs.replace(call, messages=messages)


def _restore(message: Message, known: Mapping[str, ToolState]) -> Message:
    states = [known[item.id] for item in _calls(message) if item.id in known]
    if not states:
        return message
    items = tuple(_with_extra(item, known) for item in message.items)
    is_signed = any(isinstance(item, Reasoning) and item.signature for item in items)
    reasoning = next((state.reasoning for state in states if state.reasoning), ())
    if reasoning and not is_signed:
        items = (*reasoning, *(item for item in items if not isinstance(item, Reasoning)))
    return msgspec.structs.replace(message, items=items)


def _with_extra(item: Item, known: Mapping[str, ToolState]) -> Item:
    if not isinstance(item, ToolCall) or item.extra_content is not None or item.id not in known:
        return item
    return msgspec.structs.replace(item, extra_content=known[item.id].extra_content)


def _calls(message: Message) -> Iterable[ToolCall]:
    return (item for item in message.items if isinstance(item, ToolCall))
