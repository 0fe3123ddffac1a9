"""The official ``anthropic`` package, unmodified, with upstreams of both protocols: answers."""

from collections.abc import Generator
from pathlib import Path

import anthropic
import pytest

from tests.integration.sdk_models import (
    ANSWER,
    HELLO,
    NANOS,
    add_caller,
    assert_charged,
    both,
    open_anthropic,
    secret_of,
    sent,
    stack_of_pairs,
)
from tests.stack import Stack
from tests.stack.stack import KEY


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, {"chat": "sim-chat"}) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[anthropic.Anthropic]:
    with open_anthropic(stack) as opened:
        yield opened


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@both
def test_a_message_is_answered_and_charged_exactly(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    model = f"{protocol}-chat"
    raw = client.messages.with_raw_response.create(model=model, max_tokens=100, messages=HELLO)
    answer = raw.parse()
    assert [block.type for block in answer.content] == ["text"]
    assert text_of(answer) == ANSWER
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", model)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    reference = raw.headers["x-sluice-request"]
    tokens = {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens}
    assert_charged(stack, reference, **tokens)
    assert stack.differences() == []
    headers = sent(stack)["headers"]
    secret = secret_of(protocol, "chat")
    assert (headers.get("x-api-key") or headers["authorization"]).removeprefix("Bearer ") == secret


@both
def test_the_headers_name_the_request_its_cost_and_its_model(
    client: anthropic.Anthropic, protocol: str
) -> None:
    model = f"{protocol}-chat"
    raw = client.messages.with_raw_response.create(model=model, max_tokens=100, messages=HELLO)
    assert raw.headers["request-id"] == raw.headers["x-sluice-request"]
    assert raw.headers["request-id"].startswith("req_")
    assert raw.request_id == raw.headers["request-id"]
    assert (raw.headers["x-sluice-model"], raw.headers["x-sluice-attempts"]) == (model, "1")
    usage = raw.parse().usage
    nanos = usage.input_tokens * NANOS["input"] + usage.output_tokens * NANOS["output"]
    assert float(raw.headers["x-sluice-cost-usd"]) == pytest.approx(nanos / 10**9)
    leaked = ("openai-", "anthropic-organization", "x-sim")
    assert [name for name in raw.headers if name.startswith(leaked)] == []


@both
def test_a_stream_brings_every_word_and_the_final_usage(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    model = f"{protocol}-chat"
    whole = client.messages.create(model=model, max_tokens=100, messages=HELLO)
    with client.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
        reference = stream.response.headers["x-sluice-request"]
    assert text_of(final) == text_of(whole) == ANSWER
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_delta") > 5
    assert (final.model, final.stop_reason) == (model, "end_turn")
    counts = (final.usage.input_tokens, final.usage.output_tokens)
    assert counts == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert_charged(stack, reference, input=counts[0], output=counts[1])


@both
def test_raw_events_count_up_and_end_with_the_usage(
    client: anthropic.Anthropic, protocol: str
) -> None:
    model = f"{protocol}-chat"
    events = list(client.messages.create(model=model, max_tokens=100, messages=HELLO, stream=True))
    words = [
        event.delta.text
        for event in events
        if event.type == "content_block_delta" and event.delta.type == "text_delta"
    ]
    assert "".join(words) == ANSWER
    (start,) = [event for event in events if event.type == "message_start"]
    assert (start.message.model, start.message.content) == (model, [])
    assert start.message.usage.input_tokens > 0
    (end,) = [event for event in events if event.type == "message_delta"]
    assert end.delta.stop_reason == "end_turn"
    assert end.usage.output_tokens > 1


@both
def test_system_prompts_sampling_and_stop_sequences_reach_the_upstream(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    answer = client.messages.create(
        model=f"{protocol}-chat",
        max_tokens=100,
        messages=[*HELLO, {"role": "assistant", "content": "hi"}, *HELLO],
        system=[{"type": "text", "text": "be brief"}, {"type": "text", "text": "be kind"}],
        stop_sequences=["demo"],
        extra_body={"temperature": 0, "top_p": 0.5},
    )
    assert text_of(answer) == ANSWER.partition("demo")[0]
    body = sent(stack)["body"]
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0, 0.5, 100)
    if protocol == "anthropic":
        assert [block["text"] for block in body["system"]] == ["be brief", "be kind"]
        assert body["stop_sequences"] == ["demo"]
        assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "demo")
    else:
        system, *turns = body["messages"]
        assert (system["role"], system["content"].split()) == (
            "system",
            ["be", "brief", "be", "kind"],
        )
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
        assert body["stop"] == ["demo"]
        assert answer.stop_reason == "end_turn"


@both
def test_an_answer_at_its_limit_says_so(client: anthropic.Anthropic, protocol: str) -> None:
    model = f"{protocol}-chat"
    answer = client.messages.create(model=model, max_tokens=3, messages=HELLO)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 3)
    with client.messages.stream(model=model, max_tokens=3, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("max_tokens", 3)
    assert text_of(final) == text_of(answer)


@both
def test_tokens_are_counted_for_nothing(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    model = f"{protocol}-chat"
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    before = stack.charged_nanos()
    raw = client.messages.with_raw_response.count_tokens(
        model=model, messages=HELLO, system="be brief"
    )
    counted = raw.parse().input_tokens
    answered = client.messages.create(
        model=model, messages=HELLO, system="be brief", max_tokens=1, stop_sequences=["You"]
    )
    if protocol == "anthropic":
        assert counted == answered.usage.input_tokens
    else:
        assert counted >= answered.usage.input_tokens
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    records = [r for r in stack.requests() if r.id == raw.headers["x-sluice-request"]]
    assert [(r.operation, r.charge_nanos) for r in records] == [("count_tokens", 0)]
    usage = answered.usage
    spent = usage.input_tokens * NANOS["input"] + usage.output_tokens * NANOS["output"]
    assert stack.charged_nanos() - before == spent


def test_models_are_listed_in_the_sdks_own_form(stack: Stack, client: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"openai-chat", "anthropic-chat"} <= set(listed)
    assert {model.type for model in listed.values()} == {"model"}
    found = client.models.retrieve("anthropic-chat")
    assert (found.id, found.display_name) == (
        "anthropic-chat",
        listed["anthropic-chat"].display_name,
    )
    with stack.openai() as other:
        assert {model.id for model in other.models.list()} == set(listed)
    with open_anthropic(stack, add_caller(stack, "narrow", {"models": ["openai-chat"]})) as narrow:
        assert [model.id for model in narrow.models.list()] == ["openai-chat"]
        with pytest.raises(anthropic.NotFoundError):
            narrow.models.retrieve("anthropic-chat")


@both
async def test_the_async_client_is_served_too(stack: Stack, protocol: str) -> None:
    model = f"{protocol}-chat"
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=stack.url, max_retries=0) as client:
        answer = await client.messages.create(model=model, max_tokens=100, messages=HELLO)
        assert text_of(answer) == ANSWER
        async with client.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
            assert "".join([text async for text in stream.text_stream]) == ANSWER
        counted = await client.messages.count_tokens(model=model, messages=HELLO)
        assert counted.input_tokens > 0
        assert model in [listed.id async for listed in client.models.list()]
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(model="nope", max_tokens=100, messages=HELLO)
