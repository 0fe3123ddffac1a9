"""The official ``openai`` package, unmodified, through a running gateway: what is served."""

import base64
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.isolated import add_isolated_models
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
INPUT_NANOS, OUTPUT_NANOS = 1_000, 10_000  # one token at the prices of the stack
UPSTREAMS = {
    "thinker": "sim-chat-reasoning",
    "cached": "sim-chat-p100-ca60-u7",
    "usageless": "sim-chat-n5-nousage",
    "unterminated": "sim-chat-n5-nodone",
    "odd": "sim-chat-n5-crlf-comment-split",
    "littered": "sim-chat-n5-j3",
    "vendor/with-slash": "sim-chat",
}
TOOL_NAMES = ("get_weather", "get_time")
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in TOOL_NAMES
]
CALL_BOTH: list[Any] = [{"role": "user", "content": "call:get_weather,get_time"}]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    models = {"chat": {"aliases": ["talk"]}, "embed": {"type": "embedding"}}
    with stack_of_module(sqlite_template, models=models) as running:
        add_isolated_models(running, UPSTREAMS)
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


def assert_charged(stack: Stack, reference: str, prompt: int, completion: int) -> None:
    record, entry = wait_for_settled(stack, reference)
    assert record.status == "succeeded"
    assert (record.http_status, record.error_code) == (200, None)
    assert record.charge_nanos == prompt * INPUT_NANOS + completion * OUTPUT_NANOS
    assert (record.basis, entry.kind) == ("reported", "charge")


def test_chat_answers_and_is_charged_exactly(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES)
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "chat"
    assert answer.usage is not None
    reference = raw.headers["x-sluice-request"]
    assert_charged(stack, reference, answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert stack.differences() == []
    assert stack.user().used_nanos == stack.charged_nanos()


def test_the_headers_name_the_request_its_cost_and_its_model(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="talk", messages=MESSAGES, extra_headers={"x-request-id": "my-own:1"}
    )
    assert raw.headers["x-request-id"] == "my-own:1"
    assert raw.headers["x-sluice-request"].startswith("req_")
    assert raw.headers["x-sluice-model"] == "chat"
    assert raw.headers["x-sluice-attempts"] == "1"
    usage = raw.parse().usage
    assert usage is not None
    nanos = usage.prompt_tokens * INPUT_NANOS + usage.completion_tokens * OUTPUT_NANOS
    assert float(raw.headers["x-sluice-cost-usd"]) == pytest.approx(nanos / 10**9)
    other = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES)
    assert other.headers["x-request-id"] == other.headers["x-sluice-request"]
    leaked = [name for name in other.headers if name.startswith(("openai-", "x-sim"))]
    assert leaked == []


def test_the_answer_bears_the_name_that_was_asked_for(client: openai.OpenAI) -> None:
    for name in ("chat", "talk", "vendor/with-slash"):
        assert client.chat.completions.create(model=name, messages=MESSAGES).model == name
        chunks = client.chat.completions.create(model=name, messages=MESSAGES, stream=True)
        assert {chunk.model for chunk in chunks} == {name}
    assert client.embeddings.create(model="embed", input="x").model == "embed"


def stream(
    client: openai.OpenAI,
    model: str,
    **options: Any,  # noqa: ANN401
) -> tuple[list[ChatCompletionChunk], str]:
    """All chunks and the reference of the call."""
    options = {"messages": MESSAGES, **options}
    with client.chat.completions.with_streaming_response.create(
        model=model, stream=True, **options
    ) as response:
        chunks = list(response.parse())
        return chunks, response.headers["x-sluice-request"]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_stream_brings_usage_only_when_asked(stack: Stack, client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="chat", messages=MESSAGES)
    assert whole.usage is not None
    prompt, completion = whole.usage.prompt_tokens, whole.usage.completion_tokens
    for options in ({}, {"stream_options": {"include_usage": False}}, {"stream_options": None}):
        chunks, reference = stream(client, "chat", **options)
        assert [chunk.usage for chunk in chunks if chunk.usage] == []
        assert all(chunk.choices for chunk in chunks)
        assert text_of(chunks) == whole.choices[0].message.content
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert_charged(stack, reference, prompt, completion)
    chunks, reference = stream(client, "chat", stream_options={"include_usage": True})
    assert [chunk.usage for chunk in chunks if chunk.usage] == [whole.usage]
    assert chunks[-1].choices == []
    assert_charged(stack, reference, prompt, completion)


def test_several_choices_are_all_charged(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES, n=3)
    answer = raw.parse()
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    reference = raw.headers["x-sluice-request"]
    assert_charged(stack, reference, answer.usage.prompt_tokens, answer.usage.completion_tokens)
    chunks, reference = stream(client, "chat", n=3)
    finished = [c.choices[0].index for c in chunks if c.choices[0].finish_reason]
    assert sorted(finished) == [0, 1, 2]
    assert_charged(stack, reference, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_parallel_tool_calls_arrive_whole(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="chat", messages=CALL_BOTH, tools=TOOLS
    )
    answer = raw.parse()
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    functions = [call.function for call in calls if call.type == "function"]
    assert tuple(function.name for function in functions) == TOOL_NAMES
    assert answer.usage is not None
    reference = raw.headers["x-sluice-request"]
    assert_charged(stack, reference, answer.usage.prompt_tokens, answer.usage.completion_tokens)

    chunks, reference = stream(client, "chat", messages=CALL_BOTH, tools=TOOLS)
    deltas = [d for c in chunks if c.choices for d in c.choices[0].delta.tool_calls or ()]
    for place, function in enumerate(functions):
        parts = [delta.function for delta in deltas if delta.index == place]
        assert "".join(part.name or "" for part in parts if part) == function.name
        assert "".join(part.arguments or "" for part in parts if part) == function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert_charged(stack, reference, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_a_tool_result_goes_back_to_the_model(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="chat", messages=CALL_BOTH, tools=TOOLS)
    said = first.choices[0].message
    assert said.tool_calls
    results = [{"role": "tool", "tool_call_id": c.id, "content": "22 °C"} for c in said.tool_calls]
    messages: Any = [*CALL_BOTH, said.model_dump(exclude_none=True), *results]
    answer = client.chat.completions.create(model="chat", messages=messages, tools=TOOLS)
    assert "22 °C" in (answer.choices[0].message.content or "")


def test_unknown_fields_reach_the_vendor_and_the_limit_is_what_the_client_set(
    stack: Stack, client: openai.OpenAI
) -> None:
    stack.simulator.clear_journal()
    answer = client.chat.completions.create(
        model="chat",
        messages=MESSAGES,
        max_completion_tokens=3,
        extra_body={"brand_new": {"a": [1, 2.5, None]}},
        temperature=0.25,
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    (entry,) = stack.simulator.journal()
    assert entry["body"] == {
        "model": "sim-chat",
        "messages": MESSAGES,
        "max_completion_tokens": 3,
        "brand_new": {"a": [1, 2.5, None]},
        "temperature": 0.25,
    }
    assert entry["headers"]["authorization"] == "Bearer sk-upstream-secret"


def test_cached_and_reasoning_tokens_are_counted_once(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="cached", messages=MESSAGES)
    record, _ = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.input_tokens, record.cached_tokens) == (100, 60)
    assert record.output_tokens == 7
    chunks, reference = stream(client, "thinker", stream_options={"include_usage": True})
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    record, _ = wait_for_settled(stack, reference)
    assert record.reasoning_tokens == usage.completion_tokens_details.reasoning_tokens == 8
    assert_charged(stack, reference, usage.prompt_tokens, usage.completion_tokens)


@pytest.mark.parametrize("model", ["unterminated", "odd", "littered"])
def test_a_stream_of_odd_manners_arrives_whole(
    stack: Stack, client: openai.OpenAI, model: str
) -> None:
    chunks, reference = stream(client, model, stream_options={"include_usage": True})
    assert text_of(chunks) == "".join(f" tok{index:05d}" for index in range(5))
    assert {chunk.model for chunk in chunks} == {model}
    usage = chunks[-1].usage
    assert usage is not None
    assert_charged(stack, reference, usage.prompt_tokens, usage.completion_tokens)


def test_without_reported_usage_the_answer_is_estimated(
    stack: Stack, client: openai.OpenAI
) -> None:
    said = "".join(f" tok{index:05d}" for index in range(5))
    prompt = '[{"role":"user","content":"hello"}]'
    expected = -(-len(prompt) // 4) * INPUT_NANOS + -(-len(said) // 4) * OUTPUT_NANOS
    raw = client.chat.completions.with_raw_response.create(model="usageless", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == said
    chunks, reference = stream(client, "usageless")
    assert text_of(chunks) == said
    for name in (raw.headers["x-sluice-request"], reference):
        record, entry = wait_for_settled(stack, name)
        assert (record.status, entry.basis) == ("succeeded", "estimated")
        assert record.charge_nanos == expected


def test_embeddings_as_floats_and_as_base64(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(
        model="embed", input=["one", "two"], encoding_format="float", dimensions=8
    )
    floats = raw.parse()
    assert [item.index for item in floats.data] == [0, 1]
    assert [len(item.embedding) for item in floats.data] == [8, 8]
    assert_charged(stack, raw.headers["x-sluice-request"], floats.usage.prompt_tokens, 0)
    encoded = client.embeddings.create(
        model="embed", input=["one", "two"], encoding_format="base64", dimensions=8
    )
    for item, other in zip(encoded.data, floats.data, strict=True):
        data = base64.b64decode(str(item.embedding))
        assert struct.unpack("8f", data) == pytest.approx(other.embedding)
    default = client.embeddings.create(model="embed", input=[[1, 2, 3], [4]], dimensions=8)
    assert [len(item.embedding) for item in default.data] == [8, 8]
    assert default.usage.prompt_tokens == 4


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert set(listed) == {"chat", "embed", *UPSTREAMS}
    for name in ("chat", "vendor/with-slash"):
        assert client.models.retrieve(name) == listed[name]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


async def test_the_async_client_is_served_too(stack: Stack) -> None:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{stack.url}/v1", max_retries=0) as client:
        answer = await client.chat.completions.create(model="chat", messages=MESSAGES)
        chunks = await client.chat.completions.create(model="chat", messages=MESSAGES, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in chunks]
        assert "".join(words) == answer.choices[0].message.content
        assert [model.id async for model in client.models.list()]
        embedded = await client.embeddings.create(model="embed", input="x")
        assert embedded.data[0].embedding
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="nope", messages=MESSAGES)
