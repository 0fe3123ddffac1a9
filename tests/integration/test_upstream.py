"""The simulator as OpenAI, asked by OpenAI's own client."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.upstream.asking import HELLO, KEY, only_entry, post, read_stream
from tests.upstream.client import Simulator


def tool(name: str) -> ChatCompletionToolParam:
    schema: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(upstream: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


def test_chat(client: openai.OpenAI, upstream: Simulator) -> None:
    answer = client.chat.completions.create(model="demo-chat", messages=HELLO)
    assert (answer.choices[0].message.content or "").startswith('You said: "hello there".')
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.prompt_tokens == 4 + 3
    entry = only_entry(upstream)
    assert (entry["model"], entry["key"], entry["status"]) == ("demo-chat", "sk-test", 200)
    assert entry["usage"]["completion_tokens"] == answer.usage.completion_tokens
    assert entry["completed"]
    assert entry["usage_sent"]
    assert entry["body"]["messages"] == HELLO


def test_stream_says_the_same_as_the_whole_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="demo-chat", messages=HELLO)
    stream = client.chat.completions.create(
        model="demo-chat", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert said == whole.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert whole.usage
    assert len(chunks) == 1 + whole.usage.completion_tokens + 1 + 1


def test_parallel_tools(client: openai.OpenAI) -> None:
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "call:here,there"}]
    tools = [tool("here"), tool("there")]
    whole = client.chat.completions.create(model="demo-chat", messages=asked, tools=tools)
    calls = whole.choices[0].message.tool_calls or []
    assert whole.choices[0].finish_reason == "tool_calls"
    assert [(call.type, call.id != "") for call in calls] == [("function", True)] * 2
    stream = client.chat.completions.create(
        model="demo-chat", messages=asked, tools=tools, stream=True
    )
    arguments, order = {0: "", 1: ""}, []
    for chunk in stream:
        for delta in chunk.choices[0].delta.tool_calls or []:
            assert delta.function
            arguments[delta.index] += delta.function.arguments or ""
            order.append(delta.index)
    assert order[:4] == [0, 1, 0, 1]
    assert [json.loads(text) for text in arguments.values()] == [{"city": "demo city"}] * 2


def test_tool_result_ends_the_loop(client: openai.OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "call:here"},
        {"role": "tool", "tool_call_id": "x", "content": "sunny"},
    ]
    answer = client.chat.completions.create(
        model="demo-chat", messages=messages, tools=[tool("here")]
    )
    assert answer.choices[0].message.content == 'The tool returned: "sunny". Good.'


def test_choices_limit_stop_and_reasoning(client: openai.OpenAI) -> None:
    three = client.chat.completions.create(model="demo-n9", messages=HELLO, n=3, max_tokens=4)
    assert [choice.finish_reason for choice in three.choices] == ["length"] * 3
    assert three.usage
    assert three.usage.completion_tokens == 12
    stopped = client.chat.completions.create(model="demo-n9", messages=HELLO, stop=" tok00002")
    assert stopped.choices[0].message.content == " tok00000 tok00001"
    thought = client.chat.completions.create(model="demo-reasoner", messages=HELLO)
    assert thought.usage
    assert thought.usage.completion_tokens_details
    assert thought.usage.completion_tokens_details.reasoning_tokens == 8


def test_calls_come_back_with_their_thought_signature(client: openai.OpenAI) -> None:
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "call:here,there"}]
    model, tools = "demo-chat-extra", [tool("here"), tool("there")]
    answer = client.chat.completions.create(model=model, messages=asked, tools=tools)
    message: Any = answer.choices[0].message.model_dump(exclude_none=True)
    calls = message["tool_calls"]
    assert all(call["extra_content"]["google"]["thought_signature"] for call in calls)
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls
    ]
    said = [*asked, message, *results]
    again = client.chat.completions.create(model=model, messages=said, tools=tools)
    assert again.choices[0].message.content == 'The tool returned: "sunny". Good.'
    del calls[1]["extra_content"]
    with pytest.raises(openai.BadRequestError, match="missing thought_signature"):
        client.chat.completions.create(model=model, messages=said, tools=tools)


def test_thought_signatures_come_with_the_start_of_a_call(upstream: Simulator) -> None:
    asked = [{"role": "user", "content": "call:here,there"}]
    tools = [tool("here"), tool("there")]
    model = "demo-chat-extra-interleave"
    events, _ = read_stream(upstream, model, messages=asked, tools=tools)
    chunks = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    calls = [call for delta in chunks for call in delta.get("tool_calls", ())]
    assert ["extra_content" in call for call in calls[:3]] == [True, True, False]
    assert [call["index"] for call in calls[:6]] == [0, 1, 0, 1, 0, 1]


def test_thought_inside_the_content(upstream: Simulator) -> None:
    message = post(upstream, "demo-n2-think-r3").json()["choices"][0]["message"]
    assert message["content"] == "<think>The user wrote</think> tok00000 tok00001"
    assert "reasoning_content" not in message
    events, _ = read_stream(upstream, "demo-n2-think-r3")
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == message["content"]


def test_structured_answers(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"age": {"type": "integer"}}}
    answer = client.chat.completions.create(
        model="demo-chat",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content or "") == {"age": 1}


def test_a_broken_answer_can_be_continued(upstream: Simulator) -> None:
    said = [*HELLO, {"role": "assistant", "content": " tok00000 tok0"}]
    answer = post(upstream, "demo-n3", messages=said).json()
    assert answer["choices"][0]["message"]["content"] == "0001 tok00002"
    assert post(upstream, "demo-n3-noprefix", messages=said).status_code == 400
    assert post(upstream, "demo-n3-noprefix").status_code == 200


def test_embeddings_in_both_encodings(client: openai.OpenAI, upstream: Simulator) -> None:
    as_base64 = client.embeddings.create(model="demo-embedding", input=["a", "b"], dimensions=8)
    as_float = client.embeddings.create(
        model="demo-embedding", input=["a", "b"], dimensions=8, encoding_format="float"
    )
    assert upstream.journal()[0]["body"]["encoding_format"] == "base64"
    for one, other in zip(as_base64.data, as_float.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
    by_tokens = client.embeddings.create(model="demo-embedding", input=[[1, 2, 3], [4]])
    assert by_tokens.usage.prompt_tokens == 4
    assert len(by_tokens.data[0].embedding) == 1536


def test_other_routes(client: openai.OpenAI, upstream: Simulator) -> None:
    assert "demo-chat" in [model.id for model in client.models.list()]
    assert client.models.retrieve("anything").id == "anything"
    flagged = client.moderations.create(input=["fine", "flag:violence"]).results
    assert [result.flagged for result in flagged] == [False, True]
    old = client.completions.create(model="demo-n3", prompt="x")
    assert old.choices[0].text == " tok00000 tok00001 tok00002"
    streamed = client.completions.create(model="demo-n3", prompt="x", stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == old.choices[0].text
    assert httpx.get(f"{upstream.base_url}/health", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("demo-e400", 400, None),
        ("demo-e401", 401, "invalid_api_key"),
        ("demo-e404", 404, "model_not_found"),
        ("demo-e429", 429, "rate_limit_exceeded"),
        ("demo-e418", 418, None),
        ("demo-e500", 500, None),
        ("demo-e503", 503, "engine_overloaded"),
        ("demo-e529", 529, None),
        ("demo-ctx", 400, "context_length_exceeded"),
        ("demo-policy", 400, "content_filter"),
        ("demo-quota", 429, "insufficient_quota"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    client: openai.OpenAI,
    upstream: Simulator,
    model: str,
    status: int,
    code: str | None,
    stream: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    assert (raised.value.status_code, raised.value.code) == (status, code)
    entry = only_entry(upstream)
    assert (entry["status"], entry["completed"], entry["usage"]) == (status, False, None)


def test_retry_after(upstream: Simulator) -> None:
    answer = post(upstream, "demo-e429-ra3")
    assert answer.headers["retry-after"] == "3"
    assert "try again in 3s" in answer.json()["error"]["message"]


def test_keys(upstream: Simulator) -> None:
    url = f"{upstream.openai_url}/models"
    upstream.revoke("sk-old")
    statuses = [
        httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).status_code
        for key in ("bad", "sk-old", "sk-new")
    ]
    assert statuses == [401, 401, 200]
    assert "didn't provide" in httpx.get(url, trust_env=False).json()["error"]["message"]


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"model":"m"}', b'{"model":"m","messages":[1]}']
)
def test_malformed_requests(upstream: Simulator, content: bytes) -> None:
    url = f"{upstream.openai_url}/chat/completions"
    answer = httpx.post(url, content=content, headers=KEY, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_unknown_route(upstream: Simulator) -> None:
    answer = httpx.get(f"{upstream.openai_url}/nothing", headers=KEY, trust_env=False)
    assert answer.status_code == 404
    assert "/v1/nothing" in answer.json()["error"]["message"]
