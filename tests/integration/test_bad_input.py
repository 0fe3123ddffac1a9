"""Whatever a client sends: an answer of 4xx in the dialect, never a 5xx, never a hang."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers import databases
from tests.servers.redis import RedisServer
from tests.stack import Stack
from tests.stack.raw_client import RawClient
from tests.stack.stack import KEY

CHAT = "/v1/chat/completions"
VALID: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
VALID_BYTES = json.dumps(VALID).encode()
DEEP = b"[" * 10_000 + b"]" * 10_000
DEEP_OBJECTS = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
MIB = 1024 * 1024
NOT_UTF8 = b"\xff\xfe\xe9\x80"


@pytest.fixture(scope="module")
def stack(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    url = databases.fresh_sqlite(sqlite_template, tmp_path_factory.mktemp("bad-input"))
    redis = RedisServer()
    redis.start()
    try:
        with Stack.start(url, redis, redis.folder, limit_usd="1000000") as running:
            yield running
    finally:
        redis.discard()


@pytest.fixture
def http(stack: Stack) -> Generator[httpx.Client]:
    """A client, and afterwards the proof that the process is as well as before."""
    pid = stack.apis[0].pid
    with stack.http() as client:
        yield client
        assert client.post(CHAT, json=VALID).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert stack.apis[0].process.poll() is None
    assert stack.apis[0].pid == pid
    assert alarms(stack) == []


def alarms(stack: Stack) -> list[str]:
    lines = stack.apis[0].log.read_text().splitlines()
    return [line for line in lines if not line.startswith("{") or '"level": "error"' in line]


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error in the dialect of OpenAI."""
    assert response.status_code == status, response.text
    return problem_in(response.content, dict(response.headers))


def problem_in(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    assert headers["content-type"].startswith("application/json")
    document = json.loads(body)
    assert set(document) == {"error", "request_id"}
    assert document["request_id"] == headers["x-request-id"]
    error: dict[str, Any] = document["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"] != "server_error"
    return error


def test_what_is_no_json_object_is_refused(http: httpx.Client) -> None:
    bodies = [b"", b" ", b"hello", b"[]", b"null", b"1", b'"text"', b"{", b"{]", b'{"model":}']
    bodies += [b"\xef\xbb\xbf" + VALID_BYTES, VALID_BYTES.decode().encode("utf-16")]
    bodies += [VALID_BYTES + b"x", VALID_BYTES + VALID_BYTES, VALID_BYTES[:-3], b"\x00", NOT_UTF8]
    bodies += [b"model=chat&messages=hello", b"{'model': 'chat'}", b'{"model":NaN}', b"{}x"]
    for path in (CHAT, "/v1/embeddings"):
        for body in bodies:
            problem(http.post(path, content=body), 400)


def with_field(name: str, value: bytes) -> bytes:
    """A valid body with one more field, or with one field of another value."""
    fields = {key: json.dumps(item).encode() for key, item in VALID.items()} | {name: value}
    return b"{%b}" % b",".join(b'"%b":%b' % (k.encode(), v) for k, v in fields.items())


WRONG_COUNTS = [b"0", b"-1", b'"1"', b"1.5", b"[]", b"{}", b"true", b"1e400", b"-1e400"]
WRONG_COUNTS += [str(2**31).encode(), str(2**63).encode(), str(2**64).encode(), str(2**70).encode()]
WRONG_TEXTS = [b"1", b"1.5", b"true", b"null", b"[]", b"{}"]
WRONG_SWITCHES = [b"1", b'"yes"', b"[]", b"{}", b"0"]
WRONG_FIELDS: dict[str, list[bytes]] = {
    "model": WRONG_TEXTS,
    "messages": [b"null", b"1", b'"hello"', b"{}", b"[]"],
    "stream": WRONG_SWITCHES,
    "stream_options": [b"1", b'"x"', b"[]", b"true"],
    "n": [*WRONG_COUNTS, b"129"],
    "max_tokens": WRONG_COUNTS,
    "max_completion_tokens": WRONG_COUNTS,
}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_a_field_of_a_wrong_kind_is_named(http: httpx.Client, name: str) -> None:
    for value in WRONG_FIELDS[name]:
        error = problem(http.post(CHAT, content=with_field(name, value)), 400)
        assert error["param"] == name, (value, error)
        assert name in error["message"]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (b"[1]", "messages[...]"),
        (b"[null]", "messages[...]"),
        (b'["hello"]', "messages[...]"),
        (b"[[]]", "messages[...]"),
        (b"[{}]", "messages[...].role"),
        (b'[{"role":1,"content":"x"}]', "messages[...].role"),
        (b'[{"role":null,"content":"x"}]', "messages[...].role"),
        (b'[{"content":"x"}]', "messages[...].role"),
        (b'[{"role":"user","content":1}]', "messages[...].content"),
        (b'[{"role":"user","content":true}]', "messages[...].content"),
        (b'[{"role":"user","content":{"a":1}}]', "messages[...].content"),
    ],
)
def test_a_field_inside_of_messages_is_named(
    http: httpx.Client, messages: bytes, param: str
) -> None:
    error = problem(http.post(CHAT, content=with_field("messages", messages)), 400)
    assert error["param"] == param
    assert param in error["message"]


def test_a_field_inside_of_stream_options_is_named(http: httpx.Client) -> None:
    body = with_field("stream_options", b'{"include_usage":"yes"}')
    error = problem(http.post(CHAT, content=body), 400)
    assert error["param"] == "stream_options.include_usage"


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_field_is_named(http: httpx.Client, name: str) -> None:
    body = {key: value for key, value in VALID.items() if key != name}
    error = problem(http.post(CHAT, json=body), 400)
    assert error["param"] == name
    assert "issing" in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "embed"}, "input"),
        ({"model": 1, "input": "x"}, "model"),
        ({"model": "embed", "input": None}, "input"),
        ({"model": "embed", "input": ""}, "input"),
        ({"model": "embed", "input": []}, "input"),
        ({"model": "embed", "input": {}}, "input"),
        ({"model": "embed", "input": [None]}, "input[...]"),
        ({"model": "embed", "input": [["x"]]}, "input[...][...]"),
        ({"model": "embed", "input": "x", "dimensions": 0}, "dimensions"),
        ({"model": "embed", "input": "x", "dimensions": "many"}, "dimensions"),
        ({"model": "embed", "input": "x", "encoding_format": 1}, "encoding_format"),
        ({"model": "chat", "input": "x"}, "model"),
    ],
)
def test_wrong_fields_of_embeddings_are_named(
    http: httpx.Client, body: dict[str, Any], param: str
) -> None:
    error = problem(http.post("/v1/embeddings", json=body), 400)
    assert error["param"] == param
    assert param in error["message"] or body.get("model") == "chat"


@pytest.mark.parametrize(
    "name",
    ["", "nope", "a\0b", "\0", "chat\0", "x" * 100_000, "../chat", "模型", "🙂", "chat\n", "%00"],
)
def test_an_unknown_model_is_not_found(http: httpx.Client, name: str) -> None:
    for path, field in ((CHAT, "messages"), ("/v1/embeddings", "input")):
        body = {"model": name, field: VALID["messages"] if field == "messages" else "x"}
        error = problem(http.post(path, json=body), 400 if name == "" else 404)
        assert error["param"] == "model"
        assert error["code"] == (None if name == "" else "model_not_found")
        assert len(error["message"]) < 500


@pytest.mark.parametrize("deep", [DEEP, DEEP_OBJECTS])
def test_deep_nesting_is_refused_wherever_it_stands(http: httpx.Client, deep: bytes) -> None:
    bodies = [deep]
    names = ("messages", "tools", "stream_options", "metadata", "model", "unknown", "stop")
    bodies += [with_field(name, deep) for name in names]
    bodies += [
        with_field("messages", b'[{"role":"user","content":%b}]' % deep),
        with_field("messages", b'[{"role":"user","content":"x","tool_calls":%b}]' % deep),
        with_field("stream_options", b'{"include_usage":true,"x":%b}' % deep),
        b'{"model":"embed","input":%b}' % deep,
    ]
    for body in bodies:
        problem(http.post(CHAT, content=body), 400)
        problem(http.post("/v1/embeddings", content=body), 400)


@pytest.mark.parametrize("name", ["stream_options", "metadata", "tools", "messages"])
def test_nesting_around_the_limit_is_served_or_refused(http: httpx.Client, name: str) -> None:
    for depth in (*range(100, 1000, 60), *range(960, 1010)):
        deep = b'{"x":' * depth + b"1" + b"}" * depth
        value = {
            "stream_options": deep,
            "metadata": deep,
            "tools": b"[%b]" % deep,
            "messages": b'[{"role":"user","content":[{"type":"image_url","x":%b}]}]' % deep,
        }[name]
        stream = b"true" if name == "stream_options" else b"false"
        body = with_field(name, value)[:-1] + b',"stream":%b}' % stream
        response = http.post(CHAT, content=body)
        if response.status_code != 200:
            problem(response, 400)


def test_invalid_utf8_is_refused_wherever_it_stands(http: httpx.Client) -> None:
    bodies = [
        with_field("model", b'"%b"' % NOT_UTF8),
        with_field("messages", b'[{"role":"user","content":"%b"}]' % NOT_UTF8),
        with_field("messages", b'[{"role":"%b","content":"x"}]' % NOT_UTF8),
        with_field("unknown", b'"%b"' % NOT_UTF8),
        VALID_BYTES[:-1] + b',"%b":1}' % NOT_UTF8,
        with_field("unknown", b'"\xed\xa0\x80"'),
        with_field("unknown", b'"\xc0\x80"'),
    ]
    for body in bodies:
        assert "UTF-8" in problem(http.post(CHAT, content=body), 400)["message"]


def test_nul_characters_in_text_are_text(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": "a\0b"}, {"role": "user", "content": "c"}]
    body = {**VALID, "messages": messages, "user": "\0", "metadata": {"\0": "\0"}}
    assert http.post(CHAT, json=body).status_code == 200
    raw = with_field("messages", b'[{"role":"user","content":"a\0b"}]')
    problem(http.post(CHAT, content=raw), 400)


def test_of_a_field_given_twice_the_last_one_counts_everywhere(
    http: httpx.Client, stack: Stack
) -> None:
    stack.simulator.clear_journal()
    body = VALID_BYTES[:-1] + b',"max_tokens":1000,"model":"nope","model":"chat","max_tokens":2}'
    answer = http.post(CHAT, content=body).json()
    assert answer["usage"]["completion_tokens"] == 2
    (entry,) = stack.simulator.journal()
    assert entry["body"]["max_tokens"] == 2
    assert entry["body"]["model"] == "sim-chat"


def test_a_body_of_33_mib_is_too_large(http: httpx.Client, stack: Stack) -> None:
    large = with_field("messages", b'[{"role":"user","content":"%b"}]' % (b"x" * 33 * MIB))
    in_chunks = (large[at : at + MIB] for at in range(0, len(large), MIB))
    for path in (CHAT, "/v1/embeddings", "/v1/nowhere"):
        error = problem(http.post(path, content=large), 404 if "nowhere" in path else 413)
        assert "nowhere" in path or error["code"] == "request_too_large"
    assert problem(http.post(CHAT, content=in_chunks), 413)["code"] == "request_too_large"
    with pytest.raises(openai.APIStatusError) as refused:
        stack.openai().chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "x" * 33 * MIB}]
        )
    assert refused.value.status_code == 413


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(stack: Stack) -> None:
    for length in (33 * MIB, 2**40, 2**70):
        with RawClient(stack.apis[0].port) as client:
            head = f"POST {CHAT} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{{"
            client.send(head.encode())
            status, headers, body = client.read_answer()
            assert (status, problem_in(body, headers)["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO", "get"])
def test_a_wrong_method_is_refused(http: httpx.Client, method: str) -> None:
    for path in (CHAT, "/v1/embeddings"):
        problem(http.request(method, path, content=VALID_BYTES), 405)


def test_head_gets_no_body(http: httpx.Client) -> None:
    response = http.head(CHAT)
    assert (response.status_code, response.content) == (405, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nope",
        "/v1/chat",
        "/v1/chat/completions/more",
        "/v1%2Fchat%2Fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/chat/completions%00",
        "/v1/chat/completions%FF",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/v1/models/nope",
        "/v1/models/a%2Fb",
        "/v1/models/..%2F..%2Fsecret.key",
        "/v1/models/%00",
        "/v1/models/%FF%FE",
        "/v1/models/" + "x" * 7_000,
        "/" + "%2F" * 2_000,
    ],
)
def test_a_wrong_path_is_not_found(http: httpx.Client, path: str) -> None:
    assert len(problem(http.get(path), 404)["message"]) < 1_000
    if "models" not in path:
        problem(http.post(path, content=VALID_BYTES), 404)


def test_the_type_of_the_content_is_not_asked(http: httpx.Client) -> None:
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "\x7f",
        "multipart/form-data",
    ):
        response = http.post(CHAT, content=VALID_BYTES, headers={"content-type": kind})
        assert response.status_code == 200


def test_a_form_is_no_json(http: httpx.Client) -> None:
    problem(http.post(CHAT, data={"model": "chat"}), 400)
    problem(http.post(CHAT, files={"file": b"x"}, data={"model": "chat"}), 400)


BAD_BYTES = [NOT_UTF8, b"\x00", b"a\x00b", b"\x7f\x01", b"\xed\xa0\x80", b"x" * 4_000, b"", b'"\\']


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
@pytest.mark.parametrize("value", BAD_BYTES)
def test_odd_bytes_in_a_key_are_an_unknown_key(stack: Stack, name: str, value: bytes) -> None:
    for scheme in (b"Bearer ", b"Basic ", b"") if name == "Authorization" else (b"",):
        with RawClient(stack.apis[0].port) as client:
            header = b"%b: %b%b" % (name.encode(), scheme, value)
            client.send(request(header, key=None))
            status, headers, body = client.read_answer()
            error = problem_in(body, headers)
            assert (status, error["code"]) == (401, "invalid_api_key")
    assert alarms(stack) == []


@pytest.mark.parametrize(
    "name", ["User-Agent", "X-Request-Id", "X-Forwarded-For", "Accept", "Cookie", "Traceparent"]
)
@pytest.mark.parametrize("value", BAD_BYTES)
def test_odd_bytes_in_other_headers_change_nothing(stack: Stack, name: str, value: bytes) -> None:
    with RawClient(stack.apis[0].port) as client:
        client.send(request(b"%b: %b" % (name.encode(), value)))
        status, headers, _ = client.read_answer()
    assert status == 200
    if name == "X-Request-Id":
        assert headers["x-request-id"].startswith("req_")
    stack.wait_settled(1)
    assert (
        any(r.id == headers["x-sluice-request"] for r in stack.requests())
        or stack.wait_for(
            lambda: (
                stack.drain() >= 0
                and any(r.id == headers["x-sluice-request"] for r in stack.requests())
            )
        )
        is None
    )


def request(*headers: bytes, key: str | None = KEY, body: bytes = VALID_BYTES) -> bytes:
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"Host: test", *headers]
    lines += [b"Content-Length: %d" % len(body)]
    lines += [b"Authorization: Bearer " + key.encode()] if key else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


GARBAGE = {
    "no HTTP": b"hello\r\n\r\n",
    "spaces": b"  \r\n\r\n",
    "four words": b"GET / HTTP/1.1 x\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "URL not ASCII": "POST /模型 HTTP/1.1\r\n\r\n".encode(),
    "URL not UTF-8": b"POST /\xff\xfe HTTP/1.1\r\n\r\n",
    "no URL": b"POST  HTTP/1.1\r\n\r\n",
    "bad URL": b"POST http://[::1 HTTP/1.1\r\n\r\n",
    "header without colon": b"POST /v1/chat/completions HTTP/1.1\r\nnope\r\n\r\n",
    "length not a number": b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "length negative": b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": (
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "bad chunk": (
        b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"
    ),
    "negative chunk": (
        b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"
    ),
    "unknown expectation": (
        b"POST /v1/chat/completions HTTP/1.1\r\nExpect: much\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "headers too large": b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
    "URL too long": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
def test_what_is_no_http_is_refused_and_hung_up(stack: Stack, garbage: bytes) -> None:
    with RawClient(stack.apis[0].port) as client:
        client.send(garbage)
        status, headers, body = client.read_answer()
        assert 400 <= status < 500
        assert "body is larger" not in problem_in(body, headers)["message"]
        assert client.read_to_end() == b""
    assert alarms(stack) == []


def test_garbage_after_a_good_request_does_not_touch_it(stack: Stack) -> None:
    for garbage in GARBAGE.values():
        with RawClient(stack.apis[0].port) as client:
            client.send(request() + garbage)
            assert client.read_answer()[0] == 200
            status, headers, body = client.read_answer()
            assert 400 <= status < 500
            problem_in(body, headers)
            assert client.read_to_end() == b""
    assert alarms(stack) == []


def test_good_requests_in_one_go_are_answered_in_order(stack: Stack) -> None:
    wrong = request(body=b"{}")
    with RawClient(stack.apis[0].port) as client:
        client.send(request() + wrong + request() + wrong)
        assert [client.read_answer()[0] for _ in range(4)] == [200, 400, 200, 400]


def test_a_body_that_never_comes_holds_nothing(stack: Stack) -> None:
    for part in (b"", b"{", VALID_BYTES[:20]):
        with RawClient(stack.apis[0].port) as client:
            client.send(request(b"X: y", body=VALID_BYTES)[: -len(VALID_BYTES)] + part)
            client.leave("half")
            client.read_to_end()
    assert stack.open_holds() == 0
    assert alarms(stack) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"]
    + ["tools", "tool_choice", "stop", "temperature", "response_format", "user", "", "metadata"]
)
SEEDS: list[dict[str, Any]] = [
    VALID,
    {**VALID, "stream": True, "stream_options": {"include_usage": False}, "max_tokens": 5},
    {**VALID, "n": 2, "tools": [{"type": "function", "function": {"name": "f"}}]},
]
CHANGED = st.builds(
    lambda seed, fields: json.dumps({**seed, **fields}).encode("utf-8", "surrogatepass"),
    st.sampled_from(SEEDS),
    st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3),
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A valid body of which some bytes were exchanged, dropped, doubled or put in."""
    body = json.dumps(draw(st.sampled_from(SEEDS))).encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 8)))
        body = body[:start] + draw(st.binary(max_size=6)) + body[end:]
    return body


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=CHANGED | broken())
def test_any_body_is_served_or_refused(stack: Stack, body: bytes) -> None:
    with stack.http() as http:
        for path in (CHAT, "/v1/embeddings"):
            response = http.post(path, content=body)
            if response.status_code != 200:
                assert 400 <= response.status_code < 500, response.text
                problem(response, response.status_code)
    assert alarms(stack) == []


def test_bad_input_costs_nothing(stack: Stack) -> None:
    with stack.http() as http:
        for body in (b"", b"{}", with_field("model", b'"nope"'), with_field("n", b"0")):
            assert http.post(CHAT, content=body).status_code in {400, 404}
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert all(r.charge_nanos > 0 or r.http_status >= 400 for r in stack.requests())
    assert stack.differences() == []
