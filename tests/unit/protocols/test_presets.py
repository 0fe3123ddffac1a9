"""A preset system message takes its place, told in a way that the server understands."""

from gateway.protocols.canonical import Call, Message, Role, Text
from gateway.protocols.presets import preset
from gateway.protocols.traits import Traits, traits_of

USER = Message(Role.USER, (Text("hi"),))
SYSTEM = Message(Role.SYSTEM, (Text("the client's"),))
OURS = Message(Role.SYSTEM, (Text("ours"),))


def messages(traits: Traits, *given: Message) -> tuple[Message, ...]:
    return preset(Call(model="m", messages=given), traits).messages


def test_a_preset_replaces_the_clients_own_first_system_message() -> None:
    traits = traits_of({"system_prompt": "ours"})
    assert messages(traits, SYSTEM, USER) == (OURS, USER)
    assert messages(traits, USER, SYSTEM) == (OURS, USER, SYSTEM)


def test_where_system_messages_are_not_understood_the_user_says_it_first() -> None:
    traits = traits_of({"system_role": False})
    told = Message(Role.USER, (Text("the client's"), Text("hi")))
    assert messages(traits, SYSTEM, USER) == (told,)
    assert messages(traits, USER) == (USER,)
    both = traits_of({"system_role": False, "system_prompt": "ours"})
    assert messages(both, SYSTEM, USER) == (Message(Role.USER, (Text("ours"), Text("hi"))),)


def test_a_conversation_without_a_user_begins_with_one() -> None:
    said = Message(Role.ASSISTANT, (Text("well"),))
    traits = traits_of({"system_role": False})
    assert messages(traits, SYSTEM, said) == (Message(Role.USER, (Text("the client's"),)), said)


def test_nothing_is_preset_by_default() -> None:
    assert not Traits().is_preset
