"""The official ``openai`` package, unmodified, with upstreams of both protocols: answers."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.integration.sdk_models import (
    ANSWER,
    HELLO,
    IMAGE_URL,
    NANOS,
    PDF,
    PERSON,
    PNG,
    add_pairs,
    assert_charged,
    both,
    secret_of,
    sent,
    stack_of_pairs,
)
from tests.stack import Stack
from tests.stack.stack import KEY

FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "person", "strict": True, "schema": PERSON},
}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, {"chat": "sim-chat"}) as running:
        add_pairs(running, {"formatted": "sim-formatted"}, capabilities={"structured_output": True})
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


def ask(client: openai.OpenAI, model: str, content: Any = "hello", **options: Any) -> Any:  # noqa: ANN401
    messages = [{"role": "user", "content": content}]
    asked: Any = {"model": model, "messages": messages, **options}
    return client.chat.completions.create(**asked)


@both
def test_a_chat_is_answered_and_charged_exactly(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    model = f"{protocol}-chat"
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    answer = raw.parse()
    assert (answer.object, answer.model) == ("chat.completion", model)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    tokens = {"input": answer.usage.prompt_tokens, "output": answer.usage.completion_tokens}
    assert_charged(stack, raw.headers["x-sluice-request"], **tokens)
    assert stack.differences() == []
    nanos = sum(NANOS[name] * count for name, count in tokens.items())
    assert float(raw.headers["x-sluice-cost-usd"]) == pytest.approx(nanos / 10**9)
    leaked = ("openai-", "anthropic-", "x-sim")
    assert [name for name in raw.headers if name.startswith(leaked)] == []
    headers = sent(stack)["headers"]
    secret = secret_of(protocol, "chat")
    assert (headers.get("x-api-key") or headers["authorization"]).removeprefix("Bearer ") == secret
    assert KEY not in str(headers)


@both
def test_a_stream_brings_every_word_and_the_usage_where_asked(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    model = f"{protocol}-chat"
    whole = ask(client, model)
    for options in ({}, {"stream_options": {"include_usage": True}}):
        chunks = list(ask(client, model, stream=True, **options))
        words = [c.choices[0].delta.content or "" for c in chunks if c.choices]
        assert "".join(words) == ANSWER
        assert len(words) > 5
        assert {chunk.model for chunk in chunks} == {model}
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[0].choices[0].delta.role == "assistant"
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        counts = [counted_of(c.usage) for c in chunks if c.usage]
        assert counts == ([counted_of(whole.usage)] if options else [])


def counted_of(usage: openai.types.CompletionUsage) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


@both
def test_the_sdks_own_stream_collects_the_answer(client: openai.OpenAI, protocol: str) -> None:
    with client.chat.completions.stream(model=f"{protocol}-chat", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == ANSWER


@both
def test_system_prompts_sampling_and_stops_reach_the_upstream(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "be brief"},
        *HELLO,
        {"role": "assistant", "content": "hi"},
        {"role": "developer", "content": "be kind"},
        *HELLO,
    ]
    for stop in ("demo", ["never said", "demo"]):
        answer = client.chat.completions.create(
            model=f"{protocol}-chat",
            messages=messages,
            temperature=0,
            top_p=0.5,
            max_completion_tokens=100,
            stop=stop,
            user="somebody",
        )
        assert answer.choices[0].message.content == ANSWER.partition("demo")[0]
        assert answer.choices[0].finish_reason == "stop"
        body = sent(stack)["body"]
        assert (body["temperature"], body["top_p"]) == (0, 0.5)
        if protocol == "openai":
            assert (body["messages"], body["stop"]) == (messages, stop)
            assert (body["max_completion_tokens"], body["user"]) == (100, "somebody")
        else:
            assert body["system"].split() == ["be", "brief", "be", "kind"]
            assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
            assert body["stop_sequences"] == ([stop] if isinstance(stop, str) else stop)
            assert (body["max_tokens"], body["metadata"]) == (100, {"user_id": "somebody"})


@both
def test_an_answer_at_its_limit_says_so(client: openai.OpenAI, protocol: str) -> None:
    model = f"{protocol}-chat"
    for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        answer = ask(client, model, **limit)
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 3
        chunks = list(ask(client, model, stream=True, **limit))
        assert chunks[-1].choices[0].finish_reason == "length"


@both
def test_images_and_documents_travel_as_data_or_as_addresses(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    image = f"data:image/png;base64,{PNG}"
    content = [
        {"type": "image_url", "image_url": {"url": image, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": IMAGE_URL}},
        {
            "type": "file",
            "file": {"filename": "plan.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        },
        {"type": "text", "text": "what is it?"},
    ]
    ask(client, f"{protocol}-chat", content)
    parts = sent(stack)["body"]["messages"][0]["content"]
    if protocol == "openai":
        assert parts == content
        return
    assert [part["type"] for part in parts] == ["image", "image", "document", "text"]
    assert parts[0]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert parts[1]["source"] == {"type": "url", "url": IMAGE_URL}
    assert parts[2]["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert parts[2]["title"] == "plan.pdf"


@both
def test_structured_output_keeps_to_the_schema(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    answer = ask(client, f"{protocol}-formatted", response_format=FORMAT)
    assert answer.choices[0].message.content == '{"name":"demo name","age":1}'
    body = sent(stack)["body"]
    if protocol == "openai":
        assert body["response_format"] == FORMAT
    else:
        assert body["output_config"] == {"format": {"type": "json_schema", "schema": PERSON}}


def test_a_schema_is_put_in_words_for_those_who_know_no_other_way(
    stack: Stack, client: openai.OpenAI
) -> None:
    ask(client, "anthropic-chat", response_format=FORMAT)
    body = sent(stack)["body"]
    assert "output_config" not in body
    assert '"required":["name","age"]' in body["system"]


@both
def test_what_nobody_knows_reaches_the_same_protocol_and_no_other(
    stack: Stack, client: openai.OpenAI, protocol: str
) -> None:
    unknown = {"brand_new": {"a": [1, 2.5, None]}}
    headers = {"openai-beta": "odd=v2", "cookie": "a=b", "x-own": "c"}
    for stream in (False, True):
        answer = ask(
            client, f"{protocol}-chat", stream=stream, extra_body=unknown, extra_headers=headers
        )
        if stream:
            list(answer)
        entry = sent(stack)
        is_same = protocol == "openai"
        assert entry["body"].get("brand_new") == (unknown["brand_new"] if is_same else None)
        assert entry["headers"].get("openai-beta") == ("odd=v2" if is_same else None)
        assert ("anthropic-version" in entry["headers"]) is not is_same
        assert {"cookie", "x-own"} & set(entry["headers"]) == set()


@both
async def test_the_async_client_is_served_too(stack: Stack, protocol: str) -> None:
    model = f"{protocol}-chat"
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{stack.url}/v1", max_retries=0) as client:
        answer = await client.chat.completions.create(model=model, messages=HELLO)
        assert answer.choices[0].message.content == ANSWER
        chunks = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in chunks]
        assert "".join(words) == ANSWER
        assert model in [listed.id async for listed in client.models.list()]
        assert (await client.models.retrieve(model)).id == model
