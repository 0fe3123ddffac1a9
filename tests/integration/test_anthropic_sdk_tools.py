"""The official ``anthropic`` package: tools, called in parallel, and thoughts beside them."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.integration.sdk_models import (
    CALL_BOTH,
    HELLO,
    PARAMETERS,
    PNG,
    TOOL_INPUT,
    TOOL_NAMES,
    assert_charged,
    both,
    open_anthropic,
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
    {"name": name, "description": "what it is", "input_schema": PARAMETERS} for name in TOOL_NAMES
]
THINK: Any = {"type": "enabled", "budget_tokens": 1024}
RESULTS = ("22 °C", "12:30")


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, UPSTREAMS) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[anthropic.Anthropic]:
    with open_anthropic(stack) as opened:
        yield opened


class Talk:
    """One conversation with one model, whole or streamed."""

    def __init__(self, client: anthropic.Anthropic, model: str, *, stream: bool) -> None:
        self.client = client
        self.model = model
        self.stream = stream
        self.messages: list[Any] = []

    def say(self, content: object, **options: Any) -> anthropic.types.Message:  # noqa: ANN401
        self.messages.append({"role": "user", "content": content})
        answer = self._ask({"tools": TOOLS, "max_tokens": 4000, **options})
        self.messages.append({"role": "assistant", "content": answer.content})
        return answer

    def _ask(self, options: dict[str, Any]) -> anthropic.types.Message:
        asked = {"model": self.model, "messages": self.messages, **options}
        if not self.stream:
            message: anthropic.types.Message = self.client.messages.create(**asked)
            return message
        with self.client.messages.stream(**asked) as stream:
            return stream.get_final_message()


def calls_in(message: anthropic.types.Message) -> list[anthropic.types.ToolUseBlock]:
    return [block for block in message.content if block.type == "tool_use"]


def results_of(message: anthropic.types.Message) -> list[Any]:
    return [
        {"type": "tool_result", "tool_use_id": call.id, "content": result}
        for call, result in zip(calls_in(message), RESULTS, strict=True)
    ]


def assert_both_called(message: anthropic.types.Message) -> None:
    assert message.stop_reason == "tool_use"
    calls = calls_in(message)
    assert tuple(call.name for call in calls) == TOOL_NAMES
    assert [call.input for call in calls] == [TOOL_INPUT, TOOL_INPUT]
    assert len({call.id for call in calls}) == 2


def assert_answered(message: anthropic.types.Message) -> None:
    assert message.stop_reason == "end_turn"
    assert message.content[-1].type == "text"
    assert RESULTS[-1] in message.content[-1].text


@whole_or_streamed
@pytest.mark.parametrize("name", ["chat", "turns", "extra"])
@both
def test_parallel_calls_go_out_and_their_results_come_back(
    stack: Stack, client: anthropic.Anthropic, protocol: str, name: str, *, stream: bool
) -> None:
    talk = Talk(client, f"{protocol}-{name}", stream=stream)
    first = talk.say(CALL_BOTH[0]["content"])
    assert_both_called(first)
    second = talk.say(results_of(first))
    assert_answered(second)
    assert [block.type for block in second.content] == ["text"]
    third = talk.say("call:get_time")
    assert [call.name for call in calls_in(third)] == ["get_time"]
    if protocol == "openai":
        sent_back = [m for m in sent(stack)["body"]["messages"] if m["role"] == "tool"]
        assert [m["content"] for m in sent_back] == list(RESULTS)


@both
def test_a_call_is_charged_like_any_answer(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    raw = client.messages.with_raw_response.create(
        model=f"{protocol}-chat", max_tokens=500, messages=CALL_BOTH, tools=TOOLS
    )
    usage = raw.parse().usage
    reference = raw.headers["x-sluice-request"]
    assert_charged(stack, reference, input=usage.input_tokens, output=usage.output_tokens)


@pytest.mark.parametrize("name", ["chat", "turns"])
@both
def test_streamed_blocks_follow_one_another(
    client: anthropic.Anthropic, protocol: str, name: str
) -> None:
    events = client.messages.create(
        model=f"{protocol}-{name}", max_tokens=500, messages=CALL_BOTH, tools=TOOLS, stream=True
    )
    open_blocks: list[int] = []
    parts: dict[int, str] = {}
    for event in events:
        if event.type == "content_block_start":
            assert (open_blocks, event.index) == ([], len(parts))
            open_blocks.append(event.index)
            parts[event.index] = ""
        elif event.type == "content_block_delta":
            assert event.index == open_blocks[-1]
            assert event.delta.type == "input_json_delta"
            parts[event.index] += event.delta.partial_json
        elif event.type == "content_block_stop":
            assert open_blocks.pop() == event.index
    assert set(parts.values()) == {'{"city":"demo city","days":1}'}
    assert len(parts) == 2


@both
def test_the_choice_of_a_tool_is_the_clients(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    def names(content: Any, **choice: Any) -> list[str]:  # noqa: ANN401
        talk = Talk(client, f"{protocol}-chat", stream=False)
        return [call.name for call in calls_in(talk.say(content, tool_choice=choice))]

    both_wanted = CALL_BOTH[0]["content"]
    assert names("hello", type="auto") == []
    assert names("hello", type="any") == ["get_weather"]
    assert names("hello", type="tool", name="get_time") == ["get_time"]
    assert names(both_wanted, type="none") == []
    names(both_wanted, type="auto", disable_parallel_tool_use=True)
    body = sent(stack)["body"]
    if protocol == "anthropic":
        assert body["tool_choice"]["disable_parallel_tool_use"] is True
    else:
        assert body["parallel_tool_calls"] is False


@both
def test_a_failed_tool_and_a_picture_as_its_result_reach_the_model(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    talk = Talk(client, f"{protocol}-chat", stream=False)
    failed, seen = results_of(talk.say(CALL_BOTH[0]["content"]))
    failed |= {"content": "no such city", "is_error": True}
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    seen["content"] = [{"type": "text", "text": "a map"}, {"type": "image", "source": source}]
    talk.say([failed, seen])
    body = sent(stack)["body"]
    if protocol == "anthropic":
        assert body["messages"][-1]["content"] == [failed, seen]
    else:
        first, second, pictures = body["messages"][-3:]
        assert first["content"] == "Error: no such city"
        assert (second["role"], second["content"]) == ("tool", "a map")
        assert pictures["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


@whole_or_streamed
@both
def test_thoughts_come_signed_before_the_answer(
    client: anthropic.Anthropic, protocol: str, *, stream: bool
) -> None:
    talk = Talk(client, f"{protocol}-thinker", stream=stream)
    answer = talk.say("hello", thinking=THINK)
    thought, said = answer.content
    assert thought.type == "thinking"
    assert thought.thinking.startswith('The user wrote "hello"')
    assert thought.signature
    assert said.type == "text"
    again = talk.say("and now?", thinking=THINK)
    assert [block.type for block in again.content] == ["thinking", "text"]


@whole_or_streamed
@both
def test_thoughts_go_back_unchanged_with_the_results_of_tools(
    stack: Stack, client: anthropic.Anthropic, protocol: str, *, stream: bool
) -> None:
    name = "signed" if protocol == "anthropic" else "thinker"
    talk = Talk(client, f"{protocol}-{name}", stream=stream)
    first = talk.say(CALL_BOTH[0]["content"], thinking=THINK)
    assert_both_called(first)
    thought = first.content[0]
    assert thought.type == "thinking"
    second = talk.say(results_of(first), thinking=THINK)
    assert_answered(second)
    assert second.content[0].type == "thinking"
    sent_back = sent(stack)["body"]["messages"][-2]
    if protocol == "anthropic":
        expected = {"thinking": thought.thinking, "signature": thought.signature}
        assert sent_back["content"][0] == {"type": "thinking", **expected}
    else:
        assert "sluice-" not in str(sent_back)  # a signature that says nothing to a vendor


def test_thinking_is_asked_for_in_the_words_of_the_upstream(
    stack: Stack, client: anthropic.Anthropic
) -> None:
    for budget, effort in ((1_024, "low"), (8_000, "medium"), (20_000, "high")):
        client.messages.create(
            model="openai-thinker",
            max_tokens=30_000,
            messages=HELLO,
            thinking={"type": "enabled", "budget_tokens": budget},
            timeout=60,
        )
        assert sent(stack)["body"]["reasoning_effort"] == effort
    client.messages.create(
        model="anthropic-chat",
        max_tokens=2_000,
        messages=HELLO,
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
    )
    body = sent(stack)["body"]
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})


@whole_or_streamed
def test_a_vendors_own_signature_of_a_call_comes_back_by_its_id(
    stack: Stack, client: anthropic.Anthropic, *, stream: bool
) -> None:
    talk = Talk(client, "openai-extra", stream=stream)
    first = talk.say(CALL_BOTH[0]["content"])
    assert "extra_content" not in str(first)
    assert_answered(talk.say(results_of(first)))
    (said,) = [m for m in sent(stack)["body"]["messages"] if m["role"] == "assistant"]
    signatures = [call["extra_content"]["google"] for call in said["tool_calls"]]
    assert len({signature["thought_signature"] for signature in signatures}) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [("openai-thinker", "anthropic-signed"), ("anthropic-signed", "openai-thinker")],
)
def test_a_conversation_moves_to_an_upstream_of_the_other_protocol(
    stack: Stack, client: anthropic.Anthropic, first: str, second: str
) -> None:
    """As after a failover: what only looks like a signature is shown to no vendor."""
    talk = Talk(client, first, stream=False)
    called = talk.say(CALL_BOTH[0]["content"], thinking=THINK)
    assert called.content[0].type == "thinking"
    talk.model = second
    assert_answered(talk.say(results_of(called), thinking=THINK))
    assert "sluice-" not in str(sent(stack)["body"])
