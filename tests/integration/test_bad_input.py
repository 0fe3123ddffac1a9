"""Whatever a client sends as a body: an answer of 4xx that names the field, and no charge."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.integration.refusals import (
    CHAT,
    NOT_UTF8,
    VALID,
    VALID_BYTES,
    alarms,
    problem,
    problem_in,
    with_field,
)
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.raw_client import RawClient

DEEP = b"[" * 10_000 + b"]" * 10_000
DEEP_OBJECTS = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, limit_usd="1000000") as running:
        yield running


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


def test_what_is_no_json_object_is_refused(http: httpx.Client) -> None:
    bodies = [b"", b" ", b"hello", b"[]", b"null", b"1", b'"text"', b"{", b"{]", b'{"model":}']
    bodies += [b"\xef\xbb\xbf" + VALID_BYTES, VALID_BYTES.decode().encode("utf-16")]
    bodies += [VALID_BYTES + b"x", VALID_BYTES + VALID_BYTES, VALID_BYTES[:-3], b"\x00", NOT_UTF8]
    bodies += [b"model=chat&messages=hello", b"{'model': 'chat'}", b'{"model":NaN}', b"{}x"]
    for path in (CHAT, "/v1/embeddings"):
        for body in bodies:
            problem(http.post(path, content=body), 400)


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
        (b"[1]", "messages[0]"),
        (b"[null]", "messages[0]"),
        (b'["hello"]', "messages[0]"),
        (b"[[]]", "messages[0]"),
        (b"[{}]", "messages[0].role"),
        (b'[{"role":1,"content":"x"}]', "messages[0].role"),
        (b'[{"role":null,"content":"x"}]', "messages[0].role"),
        (b'[{"content":"x"}]', "messages[0].role"),
        (b'[{"role":"user","content":1}]', "messages[0].content"),
        (b'[{"role":"user","content":true}]', "messages[0].content"),
        (b'[{"role":"user","content":{"a":1}}]', "messages[0].content"),
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
        ({"model": "embed", "input": [None]}, "input[0]"),
        ({"model": "embed", "input": [["x"]]}, "input[0][0]"),
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


def test_bad_input_costs_nothing(stack: Stack) -> None:
    with stack.http() as http:
        for body in (b"", b"{}", with_field("model", b'"nope"'), with_field("n", b"0")):
            assert http.post(CHAT, content=body).status_code in {400, 404}
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert all(r.charge_nanos > 0 or r.http_status >= 400 for r in stack.requests())
    assert stack.differences() == []
