"""The official ``openai`` package with upstreams of both protocols: tools and thoughts."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.integration.sdk_models import (
    CALL_BOTH,
    PARAMETERS,
    TOOL_NAMES,
    both,
    sent,
    stack_of_pairs,
    whole_or_streamed,
)
from tests.stack import Stack

UPSTREAMS = {
    "chat": "sim-chat",
    "turns": "sim-chat-interleave",
    "thinker": "sim-chat-reasoning",
    "signed": "sim-chat-sigcheck",
    "extra": "sim-chat-extra",
}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": PARAMETERS}}
    for name in TOOL_NAMES
]
ARGUMENTS = '{"city":"demo city","days":1}'
RESULTS = ("22 °C", "12:30")
THOUGHT = 'The user wrote "'


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, UPSTREAMS) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


class Talk:
    """One conversation with one model, whole or streamed; what the SDK gives goes back."""

    def __init__(self, client: openai.OpenAI, model: str, *, stream: bool) -> None:
        self.client = client
        self.model = model
        self.stream = stream
        self.messages: list[Any] = []

    def say(self, *messages: Any, **options: Any) -> Any:  # noqa: ANN401
        self.messages += messages
        asked: Any = {"model": self.model, "messages": self.messages, "tools": TOOLS, **options}
        if self.stream:
            with self.client.chat.completions.stream(**asked) as stream:
                choice: Any = stream.get_final_completion().choices[0]
        else:
            choice = self.client.chat.completions.create(**asked).choices[0]
        self.messages.append(as_plain_clients_send_it(choice.message))
        return choice


def as_plain_clients_send_it(message: Any) -> dict[str, Any]:  # noqa: ANN401
    """Only what this dialect has always had: no thoughts; an index is the stream's own."""
    said: dict[str, Any] = {"role": "assistant", "content": message.content}
    if message.tool_calls:
        calls = [call.model_dump(exclude_none=True) for call in message.tool_calls]
        for call in calls:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        said["tool_calls"] = calls
    return said


def results_of(choice: Any) -> list[Any]:  # noqa: ANN401
    return [
        {"role": "tool", "tool_call_id": call.id, "content": result}
        for call, result in zip(choice.message.tool_calls, RESULTS, strict=True)
    ]


def assert_both_called(choice: Any) -> None:  # noqa: ANN401
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    calls = choice.message.tool_calls
    assert tuple(call.function.name for call in calls) == TOOL_NAMES
    assert [call.function.arguments for call in calls] == [ARGUMENTS, ARGUMENTS]
    assert {call.type for call in calls} == {"function"}
    assert len({call.id for call in calls}) == 2


def assert_answered(choice: Any) -> None:  # noqa: ANN401
    assert choice.finish_reason == "stop"
    assert RESULTS[-1] in choice.message.content


@whole_or_streamed
@pytest.mark.parametrize("name", ["chat", "turns", "extra"])
@both
def test_parallel_calls_go_out_and_their_results_come_back(
    stack: Stack, client: openai.OpenAI, protocol: str, name: str, *, stream: bool
) -> None:
    talk = Talk(client, f"{protocol}-{name}", stream=stream)
    first = talk.say(*CALL_BOTH)
    assert_both_called(first)
    assert_answered(talk.say(*results_of(first)))
    third = talk.say({"role": "user", "content": "call:get_time"})
    assert [call.function.name for call in third.message.tool_calls] == ["get_time"]
    if protocol == "anthropic":
        results = sent(stack)["body"]["messages"][2]["content"]
        assert [block["content"] for block in results] == list(RESULTS)
        assert {block["type"] for block in results} == {"tool_result"}


@pytest.mark.parametrize("name", ["chat", "turns"])
@both
def test_streamed_arguments_belong_to_the_call_of_their_index(
    client: openai.OpenAI, protocol: str, name: str
) -> None:
    chunks = client.chat.completions.create(
        model=f"{protocol}-{name}", messages=CALL_BOTH, tools=TOOLS, stream=True
    )
    deltas = [d for c in chunks if c.choices for d in c.choices[0].delta.tool_calls or ()]
    for place, wanted in enumerate(TOOL_NAMES):
        own = [delta for delta in deltas if delta.index == place]
        assert [delta.id is not None for delta in own] == [True] + [False] * (len(own) - 1)
        parts = [delta.function for delta in own if delta.function]
        assert "".join(part.name or "" for part in parts) == wanted
        assert "".join(part.arguments or "" for part in parts) == ARGUMENTS


@both
def test_the_choice_of_a_tool_is_the_clients(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    def names(content: str, **options: Any) -> list[str]:  # noqa: ANN401
        talk = Talk(client, f"{protocol}-chat", stream=False)
        choice = talk.say({"role": "user", "content": content}, **options)
        return [call.function.name for call in choice.message.tool_calls or ()]

    both_wanted = CALL_BOTH[0]["content"]
    named = {"type": "function", "function": {"name": "get_time"}}
    assert names("hello", tool_choice="auto") == []
    assert names("hello", tool_choice="required") == ["get_weather"]
    assert names("hello", tool_choice=named) == ["get_time"]
    assert names(both_wanted, tool_choice="none") == []
    names(both_wanted, parallel_tool_calls=False)
    body = sent(stack)["body"]
    if protocol == "openai":
        assert body["parallel_tool_calls"] is False
    else:
        assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@whole_or_streamed
@both
def test_thoughts_are_shown_beside_the_answer(
    stack: Stack, client: openai.OpenAI, protocol: str, *, stream: bool
) -> None:
    name = "thinker" if protocol == "openai" else "chat"
    talk = Talk(client, f"{protocol}-{name}", stream=stream)
    choice = talk.say({"role": "user", "content": "hello"}, reasoning_effort="low")
    assert choice.message.reasoning_content.startswith(THOUGHT)
    assert choice.message.content.startswith('You said: "hello"')
    body = sent(stack)["body"]
    if protocol == "openai":
        assert body["reasoning_effort"] == "low"
    else:
        assert body["thinking"] == {"type": "enabled", "budget_tokens": 2_048}
        assert body["max_tokens"] > 2_048


@whole_or_streamed
def test_signed_thoughts_go_back_by_the_ids_of_calls_that_cannot_carry_them(
    stack: Stack, client: openai.OpenAI, *, stream: bool
) -> None:
    talk = Talk(client, "anthropic-signed", stream=stream)
    first = talk.say(*CALL_BOTH, reasoning_effort="low")
    assert_both_called(first)
    assert first.message.reasoning_content.startswith(THOUGHT)
    assert "signature" not in str(first)
    second = talk.say(*results_of(first), reasoning_effort="low")
    assert_answered(second)
    assert second.message.reasoning_content.startswith(THOUGHT)
    kinds = [block["type"] for block in sent(stack)["body"]["messages"][1]["content"]]
    assert kinds == ["thinking", "tool_use", "tool_use"]


def test_thoughts_that_the_client_sends_back_are_not_doubled(
    stack: Stack, client: openai.OpenAI
) -> None:
    """As clients do who keep the whole message: the signed ones take their place."""
    talk = Talk(client, "anthropic-signed", stream=False)
    first = talk.say(*CALL_BOTH, reasoning_effort="low")
    talk.messages[-1] = first.message.model_dump(exclude_none=True)
    assert "reasoning_content" in talk.messages[-1]
    assert_answered(talk.say(*results_of(first), reasoning_effort="low"))
    kinds = [block["type"] for block in sent(stack)["body"]["messages"][1]["content"]]
    assert kinds == ["thinking", "tool_use", "tool_use"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("openai-thinker", "anthropic-signed"), ("anthropic-signed", "openai-thinker")],
)
def test_a_conversation_moves_to_an_upstream_of_the_other_protocol(
    client: openai.OpenAI, first: str, second: str
) -> None:
    """As after a failover: where there are no signed thoughts, none are asked for."""
    talk = Talk(client, first, stream=False)
    called = talk.say(*CALL_BOTH, reasoning_effort="low")
    assert_both_called(called)
    talk.model = second
    assert_answered(talk.say(*results_of(called), reasoning_effort="low"))


@whole_or_streamed
def test_what_a_client_drops_of_a_vendors_tool_call_is_given_back_to_the_vendor(
    stack: Stack, client: openai.OpenAI, *, stream: bool
) -> None:
    upstream = "sim-chat-extra-interleave"
    stack.add_model("kept", upstream=upstream, capabilities={"tool_state": True})
    messages: list[Any] = list(CALL_BOTH)
    asked: dict[str, Any] = {"model": "kept", "tools": TOOLS, "messages": messages}
    if stream:
        # Tool calls are put together from their known parts alone, as many clients do.
        with client.chat.completions.stream(**asked) as events:
            events.until_done()
            calls = events.get_final_completion().choices[0].message.tool_calls or []
    else:
        calls = client.chat.completions.create(**asked).choices[0].message.tool_calls or []
    forgetful = [
        {"id": c.id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for c in calls
        for name, arguments in [(c.function.name, c.function.arguments)]
    ]
    messages.append({"role": "assistant", "content": None, "tool_calls": forgetful})
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "fine"} for c in calls]
    answer = client.chat.completions.create(**asked)
    assert answer.choices[0].finish_reason == "stop"
    (said,) = [m for m in sent(stack)["body"]["messages"] if m["role"] == "assistant"]
    signatures = {c["extra_content"]["google"]["thought_signature"] for c in said["tool_calls"]}
    assert len(signatures) == 2
