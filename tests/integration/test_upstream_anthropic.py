"""The simulator as Anthropic, asked by Anthropic's own client."""

import json
from collections.abc import Iterator

import anthropic
import httpx
import pytest
from anthropic.types import MessageParam, ToolParam

from tests.upstream.asking import ANTHROPIC_HEADERS, KEY, only_entry, post
from tests.upstream.client import Simulator

HELLO: list[MessageParam] = [{"role": "user", "content": "hello there"}]


def tool(name: str) -> ToolParam:
    schema: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"name": name, "input_schema": schema}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(upstream: Simulator) -> Iterator[anthropic.Anthropic]:
    url = upstream.anthropic_url
    with anthropic.Anthropic(base_url=url, api_key="sk-test", max_retries=0) as client:
        yield client


def test_message(client: anthropic.Anthropic, upstream: Simulator) -> None:
    answer = client.messages.create(model="demo-chat", messages=HELLO, max_tokens=100)
    (block,) = answer.content
    assert block.type == "text"
    assert block.text == post(upstream, "demo-chat").json()["choices"][0]["message"]["content"]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens == 4 + 3
    assert answer._request_id == "req_sim" + answer.id.removeprefix("msg_sim")
    upstream.wait_idle()
    entry, other = upstream.journal()
    assert (entry["vendor"], other["vendor"]) == ("anthropic", "openai")
    assert entry["path"] == "/anthropic/v1/messages"
    assert entry["key"] == "sk-test"
    assert entry["headers"]["authorization"] == "Bearer sk-test"
    assert entry["body"]["messages"] == HELLO
    assert entry["completed"]
    assert entry["usage_sent"]
    same = ("status", "content_pieces_written", "stream", "done_sent")
    assert [entry[name] for name in same] == [other[name] for name in same]
    assert entry["usage"]["total_tokens"] == other["usage"]["total_tokens"]


def test_stream_says_the_same_as_the_whole_message(
    client: anthropic.Anthropic, upstream: Simulator
) -> None:
    whole = client.messages.create(model="demo-reasoner-ca2", messages=HELLO, max_tokens=100)
    upstream.clear_journal()
    with client.messages.stream(
        model="demo-reasoner-ca2", messages=HELLO, max_tokens=100
    ) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    streamed.id, streamed._request_id = whole.id, whole._request_id
    assert streamed.model_dump(exclude={"parsed_output"}) == whole.model_dump()
    assert [block.type for block in whole.content] == ["thinking", "text"]
    entry = only_entry(upstream)
    assert entry["stream"]
    assert entry["usage_sent"]
    assert entry["finish_sent"]
    assert entry["done_sent"]
    assert entry["completed"]


@pytest.mark.parametrize("suffix", ["crlf", "comment", "split", "b3", "split-b8"])
def test_a_stream_survives_odd_framing(client: anthropic.Anthropic, suffix: str) -> None:
    model = f"demo-n5-{suffix}"
    with client.messages.stream(model=model, messages=HELLO, max_tokens=100) as stream:
        assert "".join(stream.text_stream) == "".join(f" tok{index:05d}" for index in range(5))


def test_tool_loop_with_thinking(client: anthropic.Anthropic) -> None:
    asked: list[MessageParam] = [{"role": "user", "content": "call:here,there"}]
    with client.messages.stream(
        model="demo-chat-sigcheck",
        messages=asked,
        max_tokens=4096,
        tools=[tool("here"), tool("there")],
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        answer = stream.get_final_message()
    assert answer.stop_reason == "tool_use"
    thinking, *calls = answer.content
    assert thinking.type == "thinking"
    assert [(call.type, getattr(call, "input", None)) for call in calls] == [
        ("tool_use", {"city": "demo city"})
    ] * 2
    results: MessageParam = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": getattr(call, "id", ""), "content": "sunny"}
            for call in calls
        ],
    }
    done = client.messages.create(
        model="demo-chat-sigcheck",
        messages=[*asked, {"role": "assistant", "content": list(answer.content)}, results],
        max_tokens=4096,
        tools=[tool("here"), tool("there")],
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    last = done.content[-1]
    assert last.type == "text"
    assert last.text == 'The tool returned: "sunny". Good.'


def test_cached_tokens(client: anthropic.Anthropic) -> None:
    model = "demo-p100-ca60-cw10-u7"
    with client.messages.stream(model=model, messages=HELLO, max_tokens=100) as stream:
        usage = stream.get_final_message().usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (30, 60)
    assert (usage.cache_creation_input_tokens, usage.output_tokens) == (10, 7)


def test_counting(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model="demo-chat", messages=HELLO, system="abcd")
    assert counted.input_tokens == 4 + 3 + 4 + 1


def test_models(client: anthropic.Anthropic, upstream: Simulator) -> None:
    listed = client.models.list()
    assert "demo-chat" in [model.id for model in listed]
    assert client.models.retrieve("anything").display_name == "Anything"
    url = f"{upstream.anthropic_url}/v1/models"
    assert httpx.get(url, headers=KEY, trust_env=False).json()["object"] == "list"


@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("demo-e400", anthropic.BadRequestError, "invalid_request_error"),
        ("demo-e401", anthropic.AuthenticationError, "authentication_error"),
        ("demo-e403", anthropic.PermissionDeniedError, "permission_error"),
        ("demo-e404", anthropic.NotFoundError, "not_found_error"),
        ("demo-e413", anthropic.APIStatusError, "request_too_large"),
        ("demo-e429", anthropic.RateLimitError, "rate_limit_error"),
        ("demo-e500", anthropic.InternalServerError, "api_error"),
        ("demo-e503", anthropic.APIStatusError, "api_error"),
        ("demo-e529", anthropic.APIStatusError, "overloaded_error"),
        ("demo-ctx", anthropic.BadRequestError, "prompt is too long: "),
        ("demo-policy", anthropic.BadRequestError, "content filtering policy"),
        ("demo-quota", anthropic.BadRequestError, "Your credit balance is too low"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    client: anthropic.Anthropic,
    upstream: Simulator,
    model: str,
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(error, match=kind) as raised:
        client.messages.create(model=model, messages=HELLO, max_tokens=10, stream=stream)
    body = json.loads(raised.value.response.content)
    assert body["type"] == "error"
    assert body["request_id"] == raised.value.response.headers["request-id"]
    entry = only_entry(upstream)
    assert entry["status"] == raised.value.status_code
    assert (entry["completed"], entry["usage"]) == (False, None)


def test_an_error_in_a_stream_is_raised(client: anthropic.Anthropic) -> None:
    stream = client.messages.create(
        model="demo-n5-err6", messages=HELLO, max_tokens=100, stream=True
    )
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(stream)


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        (ANTHROPIC_HEADERS, 200, None),
        ({**KEY, "anthropic-version": "2023-06-01"}, 200, None),
        ({"anthropic-version": "2023-06-01"}, 401, "authentication_error"),
        ({**ANTHROPIC_HEADERS, "x-api-key": "bad"}, 401, "authentication_error"),
        ({"x-api-key": "sk-test"}, 400, "invalid_request_error"),
    ],
)
def test_headers(
    upstream: Simulator, headers: dict[str, str], status: int, kind: str | None
) -> None:
    body = {"model": "demo-chat", "messages": HELLO, "max_tokens": 10}
    url = f"{upstream.anthropic_url}/v1/messages"
    answer = httpx.post(url, json=body, headers=headers, trust_env=False)
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("type") == kind


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"model":"m","messages":[1]}'])
def test_malformed_requests(upstream: Simulator, content: bytes) -> None:
    url = f"{upstream.anthropic_url}/v1/messages"
    answer = httpx.post(url, content=content, headers=ANTHROPIC_HEADERS, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
