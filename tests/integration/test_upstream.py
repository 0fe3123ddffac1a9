"""The simulator as a process, asked by OpenAI's own client and by bare sockets."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.upstream.client import ROOT, Simulator

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]
KEY = {"Authorization": "Bearer sk-test"}


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


def post(upstream: Simulator, model: str, **body: Any) -> httpx.Response:  # noqa: ANN401
    given = {"model": model, "messages": HELLO, **body}
    url = f"{upstream.openai_url}/chat/completions"
    return httpx.post(url, json=given, headers=KEY, timeout=10, trust_env=False)


def read_stream(upstream: Simulator, model: str, **body: Any) -> tuple[list[str], str]:  # noqa: ANN401
    """The data of all events that came, and how it ended: "eof" or the name of an error."""
    given = {"model": model, "messages": HELLO, "stream": True, **body}
    url = f"{upstream.openai_url}/chat/completions"
    raw, end = b"", "eof"
    options: Any = {"json": given, "headers": KEY}
    try:
        with (
            httpx.Client(timeout=1, trust_env=False) as http,
            http.stream("POST", url, **options) as response,
        ):
            for part in response.iter_raw():
                raw += part
    except httpx.TransportError as error:
        end = type(error).__name__
    text = raw.decode().replace("\r\n", "\n")
    frames = [frame for frame in text.split("\n\n") if frame.startswith("data: ")]
    return [frame.removeprefix("data: ") for frame in frames], end


def only_entry(upstream: Simulator) -> dict[str, Any]:
    upstream.wait_idle()
    (entry,) = upstream.journal()
    return entry


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


@pytest.mark.parametrize(
    ("suffix", "count", "end"),
    [
        ("k0", 0, "ReadError"),
        ("k3", 3, "ReadError"),
        ("c3", 3, "RemoteProtocolError"),
        ("q3", 3, "ReadTimeout"),
        ("midfinish", 6, "eof"),
        ("midfinish2", 2, "eof"),
        ("nodone", 7, "eof"),
        ("err3", 4, "eof"),
        ("j2", 9, "eof"),
        ("b3", 8, "eof"),
        ("split", 8, "eof"),
        ("split-b8", 8, "eof"),
        ("crlf", 8, "eof"),
        ("comment", 8, "eof"),
        ("k5-b3", 5, "ReadError"),
    ],
)
def test_broken_streams(upstream: Simulator, suffix: str, count: int, end: str) -> None:
    events, ended = read_stream(upstream, f"demo-n5-{suffix}")
    assert (len(events), ended) == (count, end)
    entry = only_entry(upstream)
    assert entry["events_written"] == count
    assert entry["completed"] == (count >= 7)
    assert entry["client_gone"] == (suffix == "q3")
    assert entry["done_sent"] == (count >= 8)


@pytest.mark.parametrize(
    ("suffix", "error"),
    [
        ("refuse", httpx.ReadError),
        ("hang", httpx.ReadTimeout),
        ("k0", httpx.ReadError),
        ("c1", httpx.RemoteProtocolError),
        ("q1", httpx.ReadTimeout),
    ],
)
def test_broken_bodies(upstream: Simulator, suffix: str, error: type[Exception]) -> None:
    url = f"{upstream.openai_url}/chat/completions"
    body = {"model": f"demo-{suffix}", "messages": HELLO}
    with pytest.raises(error):
        httpx.post(url, json=body, headers=KEY, timeout=0.5, trust_env=False)
    entry = only_entry(upstream)
    assert not entry["completed"]
    assert entry["client_gone"] == (suffix in {"hang", "q1"})


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_answers(upstream: Simulator, stream: bool) -> None:  # noqa: FBT001
    with pytest.raises(json.JSONDecodeError):
        post(upstream, "demo-badjson", stream=stream).json()
    assert post(upstream, "demo-html", stream=stream).text.startswith("<!DOCTYPE html>")
    assert post(upstream, "demo-empty", stream=stream).content == b""
    whole = post(upstream, "demo-jsonstream", stream=True)
    assert whole.json()["object"] == "chat.completion"
    assert upstream.wait_idle()["total"]["completed"] == 1


def test_usage_can_lie_or_be_missing(upstream: Simulator) -> None:
    assert "usage" not in post(upstream, "demo-nousage").json()
    assert not only_entry(upstream)["usage_sent"]
    huge = post(upstream, "demo-hugeusage").json()["usage"]
    assert huge["total_tokens"] == 2_000_000_000


def test_times_of_an_answer(upstream: Simulator) -> None:
    started = time.monotonic()
    read_stream(upstream, "demo-n5-t100-h100-d20")
    taken = time.monotonic() - started
    assert 0.1 + 0.1 + 7 * 0.02 <= taken < 1
    body = {"model": "demo-h300", "messages": HELLO, "stream": True}
    url = f"{upstream.openai_url}/chat/completions"
    started = time.monotonic()
    with httpx.Client(trust_env=False) as http:
        request = http.build_request("POST", url, json=body, headers=KEY)
        response = http.send(request, stream=True)
        assert time.monotonic() - started < 0.25
        next(response.iter_raw())
        assert time.monotonic() - started >= 0.3
        response.close()


def test_first_requests_fail_then_all_is_well(upstream: Simulator) -> None:
    statuses = [post(upstream, "demo-n2-e503x2").status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


def test_faults_by_control(upstream: Simulator) -> None:
    rule = upstream.fault("e500", "demo-*", times=2, path="/chat/completions")
    statuses = [post(upstream, "demo-chat").status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert upstream.faults()[0] == {**rule, "used": 2, "left": 0}
    upstream.fault("e429-ra1", key="sk-test")
    assert post(upstream, "demo-chat").status_code == 429
    upstream.clear_faults()
    assert post(upstream, "demo-chat").status_code == 200
    with pytest.raises(ValueError, match="nonsense"):
        upstream.fault("nonsense")


@pytest.mark.parametrize(
    ("place", "written"),
    [("head", 0), ("0", 0), ("1", 1), ("finish", 4), ("usage", 5), ("done", 6), ("end", 7)],
)
def test_gates_stop_a_stream_at_an_exact_place(
    upstream: Simulator, place: str, written: int
) -> None:
    with ThreadPoolExecutor() as threads:
        options = {"include_usage": True}
        model = f"demo-n3-gateg.{place}"
        reading = threads.submit(read_stream, upstream, model, stream_options=options)
        assert upstream.gate("g", waiting=1)["waiting"] == 1
        (entry,) = upstream.journal()
        assert entry["events_written"] == written
        assert entry["status"] == (None if place == "head" else 200)
        assert upstream.open_gate("g")["released"] == 1
        events, end = reading.result()
    assert (len(events), end) == (7, "eof")
    assert only_entry(upstream)["completed"]


@pytest.mark.parametrize("place", ["head", "0", "end"])
def test_gates_stop_whole_answers(upstream: Simulator, place: str) -> None:
    with ThreadPoolExecutor() as threads:
        asking = threads.submit(post, upstream, f"demo-gateg.{place}")
        upstream.gate("g", waiting=1)
        upstream.open_gate("g", count=1)
        assert asking.result().status_code == 200
    assert not upstream.gate("g")["open"]


def test_a_client_who_leaves_is_noticed(upstream: Simulator) -> None:
    body = json.dumps({"model": "demo-n3-gateg.2", "messages": HELLO, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((upstream.host, upstream.port)) as raw:
        raw.sendall(f"{head}Authorization: Bearer k\r\n\r\n{body}".encode())
        upstream.gate("g", waiting=1)
    upstream.wait_idle()
    entry = only_entry(upstream)
    assert entry["client_gone"]
    assert (entry["events_written"], entry["content_pieces_written"]) == (2, 1)
    assert entry["usage"]["completion_tokens"] == 3
    assert upstream.gate("g")["waiting"] == 0
    assert upstream.summary()["models"]["demo-n3-gateg.2"]["client_gone"] == 1


def test_a_client_who_leaves_a_fast_stream_is_noticed(upstream: Simulator) -> None:
    body = {"model": "demo-n100000", "messages": HELLO, "stream": True}
    url = f"{upstream.openai_url}/chat/completions"
    with (
        httpx.Client(trust_env=False) as http,
        http.stream("POST", url, json=body, headers=KEY) as response,
    ):
        next(response.iter_raw())
    entry = only_entry(upstream)
    assert entry["client_gone"]
    assert 0 < entry["events_written"] < 100_000


def test_journal_pages_and_clears(upstream: Simulator) -> None:
    for model in ("demo-a", "demo-b", "demo-a"):
        post(upstream, model)
    first, second, third = upstream.journal()
    assert [entry["seq"] for entry in upstream.journal(since=first["seq"], limit=1)] == [
        second["seq"]
    ]
    assert [entry["seq"] for entry in upstream.journal(model="demo-a")] == [
        first["seq"],
        third["seq"],
    ]
    assert upstream.summary()["models"]["demo-a"]["requests"] == 2
    upstream.clear_journal()
    assert upstream.journal() == []


def test_a_key_in_every_header_is_recorded_lower_cased(upstream: Simulator) -> None:
    post(upstream, "demo-chat")
    assert only_entry(upstream)["headers"]["authorization"] == "Bearer sk-test"


def test_process_ends_cleanly_although_a_request_hangs(tmp_path: Path) -> None:
    simulator = Simulator.start(tmp_path)
    body = json.dumps({"model": "demo-hang", "messages": HELLO})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((simulator.host, simulator.port)) as raw:
        raw.sendall(f"{head}Authorization: Bearer k\r\n\r\n{body}".encode())
        assert simulator.summary() is not None
        simulator.process.send_signal(signal.SIGINT)
        assert simulator.process.wait(timeout=5) == 0
    assert simulator.stop() == 0


def test_the_port_can_be_chosen_again_after_a_kill(tmp_path: Path) -> None:
    first = Simulator.start(tmp_path)
    first.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.base_url}/health", trust_env=False)
    with Simulator.start(tmp_path, port=first.port, journal_limit=1, journal_bodies=0) as second:
        post(second, "demo-a")
        post(second, "demo-b")
        (entry,) = second.journal()
        assert (entry["model"], entry["body"]) == ("demo-b", None)


def test_the_simulator_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from tests.upstream.client import Simulator\n"
        "print(Simulator.start(pathlib.Path(sys.argv[1])).port, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    port = int(run.stdout)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.01)
    pytest.fail("the simulator outlived its parent")
