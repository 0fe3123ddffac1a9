"""What a vendor must get back with a tool call comes back, though the client never saw it."""

import json
from typing import Any

import pytest

from gateway.protocols import tool_state
from gateway.protocols.canonical import (
    Call,
    Item,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from gateway.protocols.codecs import ANTHROPIC, OPENAI
from gateway.protocols.exchange import Wish
from gateway.protocols.traits import NO_TRAITS
from tests.unit.protocols.two_dialects import anthropic_stream, exchange_of, watch

EXTRA = {"google": {"thought_signature": "abc=="}}
SIGNED = Reasoning("Hm.", "signed")
HIDDEN = Reasoning(redacted="opaque")


def call_of(*items: Item) -> Call:
    """A history whose assistant said these items, and whose tools have answered."""
    results = tuple(ToolResult(it.id, (Text("42"),)) for it in items if isinstance(it, ToolCall))
    messages = (
        Message(Role.USER, (Text("Hi"),)),
        Message(Role.ASSISTANT, items),
        Message(Role.TOOL, results),
    )
    return Call(model="m", messages=messages)


def said(call: Call) -> tuple[Item, ...]:
    return call.messages[1].items


def tool(id_: str = "t", extra: dict[str, Any] | None = None) -> ToolCall:
    return ToolCall(id_, "f", "{}", extra)


@pytest.mark.parametrize(
    ("items", "ids"),
    [
        ((), []),
        ((Text("Hi"), SIGNED), []),
        ((tool(),), []),
        ((Reasoning("unsigned"), tool()), []),
        ((tool(extra=EXTRA),), ["t"]),
        ((SIGNED, tool("a"), tool("b")), ["a", "b"]),
        ((HIDDEN, tool("a")), ["a"]),
        ((tool("a", EXTRA), tool("b")), ["a"]),
    ],
)
def test_something_is_kept_only_where_there_is_something(
    items: tuple[Item, ...], ids: list[str]
) -> None:
    assert list(tool_state.of_items(items)) == ids


@pytest.mark.parametrize(
    ("id_", "extra"),
    [
        ("t", {"number": 10**30}),
        ("t", {"text": "x" * tool_state.LARGEST_STATE_BYTES}),
        ("t" * (tool_state.LONGEST_ID + 1), EXTRA),
    ],
)
def test_a_state_that_is_out_of_bounds_is_left_out_alone(id_: str, extra: dict[str, Any]) -> None:
    assert list(tool_state.of_items([tool(id_, extra), tool("a", EXTRA)])) == ["a"]
    assert list(tool_state.of_extras({id_: extra, "a": EXTRA})) == ["a"]


def test_no_more_states_are_kept_or_looked_up_than_any_conversation_needs() -> None:
    names = [f"t{n}" for n in range(1_000)]
    items = [tool(name, EXTRA) for name in names]
    assert len(tool_state.of_items(items)) == tool_state.MOST_CALLS
    assert tool_state.ids_in(call_of(*items)) == names[-tool_state.MOST_CALLS :]
    assert tool_state.ids_in(call_of(tool("t" * 1_000))) == []


def test_the_calls_of_the_whole_history_are_looked_up() -> None:
    call = call_of(Text("a"), tool("x"), tool("y"))
    assert tool_state.ids_in(call) == ["x", "y"]
    assert tool_state.ids_in(Call(model="m", messages=())) == []


def test_what_was_kept_comes_back_to_its_call_and_no_other() -> None:
    states = tool_state.of_items([tool("a", EXTRA), tool("b")])
    restored = tool_state.restored(call_of(tool("a"), tool("b"), tool("c")), states)
    assert said(restored) == (tool("a", EXTRA), tool("b"), tool("c"))


def test_signed_thoughts_come_back_before_everything_else_and_once() -> None:
    states = tool_state.of_items([SIGNED, HIDDEN, tool("a"), tool("b")])
    restored = tool_state.restored(call_of(Text("So"), tool("a"), tool("b")), states)
    assert said(restored) == (SIGNED, HIDDEN, Text("So"), tool("a"), tool("b"))


def test_thoughts_that_lost_their_signature_give_way_to_those_that_have_it() -> None:
    states = tool_state.of_items([SIGNED, tool()])
    assert said(tool_state.restored(call_of(Reasoning("Hm."), tool()), states)) == (SIGNED, tool())


def test_what_the_client_sent_itself_is_left_as_it_is() -> None:
    states = tool_state.of_items([SIGNED, tool(extra=EXTRA)])
    own = (Reasoning("Mine.", "of mine"), tool(extra={"own": True}))
    assert said(tool_state.restored(call_of(*own), states)) == own


def test_an_unknown_call_changes_nothing() -> None:
    call = call_of(tool("other"))
    assert tool_state.restored(call, tool_state.of_items([SIGNED, tool("a")])) == call
    assert tool_state.restored(call, {}) is call


def test_only_what_the_assistant_said_is_touched() -> None:
    states = tool_state.of_items([SIGNED, tool()])
    call = call_of(tool())
    restored = tool_state.restored(call, states)
    assert (restored.messages[0], restored.messages[2]) == (call.messages[0], call.messages[2])


def test_each_turn_gets_its_own_back() -> None:
    first, second = Reasoning("One.", "1"), Reasoning("Two.", "2")
    states = tool_state.of_items([first, tool("a")]) | tool_state.of_items([second, tool("b")])
    one, two = call_of(tool("a")), call_of(tool("b"))
    call = Call(model="m", messages=one.messages + two.messages)
    restored = tool_state.restored(call, states).messages
    assert restored[1].items == (first, tool("a"))
    assert restored[4].items == (second, tool("b"))


def openai_answer(**call: object) -> bytes:
    tool_call = {"id": "t", "function": {"name": "f", "arguments": "{}"}, **call}
    message = {"content": None, "tool_calls": [tool_call]}
    return json.dumps({"id": "x", "choices": [{"index": 0, "message": message}]}).encode()


def test_an_openai_vendors_extra_goes_round_through_an_anthropic_client() -> None:
    states = exchange_of("anthropic", "openai").read(openai_answer(extra_content=EXTRA)).states
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [tool_use("t")]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": history}
    call = tool_state.restored(ANTHROPIC.decode_request(json.dumps(body).encode()), states)
    sent = json.loads(exchange_of("anthropic", "openai").body(Wish("up", call=call)))
    assert sent["messages"][1]["tool_calls"][0]["extra_content"] == EXTRA


def tool_use(id_: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def openai_history(id_: str) -> Call:
    tool_call = {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "So:", "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": id_, "content": "42"},
    ]
    body = {"model": "m", "messages": history, "reasoning_effort": "high"}
    return OPENAI.decode_request(json.dumps(body).encode())


def sent_to_anthropic(call: Call) -> list[dict[str, Any]]:
    body = json.loads(ANTHROPIC.encode_request(call, NO_TRAITS))
    content: list[dict[str, Any]] = body["messages"][1]["content"]
    return content


def test_signed_thoughts_go_round_through_an_openai_client() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    answer = {"id": "x", "type": "message", "content": [thinking, tool_use("t")]}
    states = exchange_of("openai", "anthropic").read(json.dumps(answer).encode()).states
    content = sent_to_anthropic(tool_state.restored(openai_history("t"), states))
    assert content == [thinking, {"type": "text", "text": "So:"}, tool_use("t")]


def test_signed_thoughts_of_a_stream_go_round_as_well() -> None:
    watcher = exchange_of("openai", "anthropic").watch()
    watch(watcher, anthropic_stream([("thoughts", ["Hm", "."]), ("f", ["{}"])]))
    [id_] = watcher.states
    content = sent_to_anthropic(tool_state.restored(openai_history(id_), watcher.states))
    assert content[0] == {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    assert content[-1]["id"] == id_


def test_what_passes_through_keeps_what_many_clients_drop() -> None:
    kept = exchange_of("openai", "openai").read(openai_answer(extra_content=EXTRA)).states
    converted = exchange_of("anthropic", "openai").read(openai_answer(extra_content=EXTRA)).states
    assert kept == converted
    assert exchange_of("openai", "openai").read(openai_answer()).states == {}


def test_signed_thoughts_pass_through_by_themselves() -> None:
    watcher = exchange_of("anthropic", "anthropic").watch()
    watch(watcher, anthropic_stream([("thoughts", ["Hm."]), ("f", ["{}"])]))
    assert watcher.states == {}
