"""What tests of bad input share: a valid body, and what a refusal has to look like."""

import json
from typing import Any

import httpx

from tests.stack import Stack
from tests.stack.stack import KEY

CHAT = "/v1/chat/completions"
VALID: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
VALID_BYTES = json.dumps(VALID).encode()
NOT_UTF8 = b"\xff\xfe\xe9\x80"


def alarms(stack: Stack) -> list[str]:
    """Lines of the API's log that would wake somebody; a traceback is one."""
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


def with_field(name: str, value: bytes) -> bytes:
    """A valid body with one more field, or with one field of another value."""
    fields = {key: json.dumps(item).encode() for key, item in VALID.items()} | {name: value}
    return b"{%b}" % b",".join(b'"%b":%b' % (k.encode(), v) for k, v in fields.items())


def raw_request(*headers: bytes, key: str | None = KEY, body: bytes = VALID_BYTES) -> bytes:
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"Host: test", *headers]
    lines += [b"Content-Length: %d" % len(body)]
    lines += [b"Authorization: Bearer " + key.encode()] if key else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
