"""Whatever a client sends around a body: paths, methods, headers and what is no HTTP at all."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.integration.refusals import (
    CHAT,
    NOT_UTF8,
    VALID_BYTES,
    alarms,
    problem,
    problem_in,
    raw_request,
)
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.of_module import stack_of_module
from tests.stack.raw_client import RawClient

BAD_BYTES = [NOT_UTF8, b"\x00", b"a\x00b", b"\x7f\x01", b"\xed\xa0\x80", b"x" * 4_000, b"", b'"\\']
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


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, limit_usd="1000000") as running:
        yield running


@pytest.fixture
def http(stack: Stack) -> Generator[httpx.Client]:
    with stack.http() as client:
        yield client
    assert alarms(stack) == []


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


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
@pytest.mark.parametrize("value", BAD_BYTES)
def test_odd_bytes_in_a_key_are_an_unknown_key(stack: Stack, name: str, value: bytes) -> None:
    for scheme in (b"Bearer ", b"Basic ", b"") if name == "Authorization" else (b"",):
        with RawClient(stack.apis[0].port) as client:
            header = b"%b: %b%b" % (name.encode(), scheme, value)
            client.send(raw_request(header, key=None))
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
        client.send(raw_request(b"%b: %b" % (name.encode(), value)))
        status, headers, _ = client.read_answer()
    assert status == 200
    if name == "X-Request-Id":
        assert headers["x-request-id"].startswith("req_")
    record, _ = wait_for_settled(stack, headers["x-sluice-request"])
    assert record.user_agent.isprintable()


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
            client.send(raw_request() + garbage)
            assert client.read_answer()[0] == 200
            status, headers, body = client.read_answer()
            assert 400 <= status < 500
            problem_in(body, headers)
            assert client.read_to_end() == b""
    assert alarms(stack) == []


def test_good_requests_in_one_go_are_answered_in_order(stack: Stack) -> None:
    wrong = raw_request(body=b"{}")
    with RawClient(stack.apis[0].port) as client:
        client.send(raw_request() + wrong + raw_request() + wrong)
        assert [client.read_answer()[0] for _ in range(4)] == [200, 400, 200, 400]


def test_a_body_that_never_comes_holds_nothing(stack: Stack) -> None:
    for part in (b"", b"{", VALID_BYTES[:20]):
        with RawClient(stack.apis[0].port) as client:
            client.send(raw_request(b"X: y", body=VALID_BYTES)[: -len(VALID_BYTES)] + part)
            client.leave("half")
            client.read_to_end()
    stack.wait_for(lambda: stack.open_holds() == 0)
    assert alarms(stack) == []
