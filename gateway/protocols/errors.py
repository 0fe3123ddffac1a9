"""Errors in a client's dialect: bodies, statuses and events; and a vendor's errors read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    NoBackendError,
    OverloadedError,
    ThreadsUnsupportedError,
)
from gateway.protocols import sse
from gateway.protocols.canonical import UpstreamProblem
from gateway.protocols.cleaning import clean
from gateway.protocols.problems import find_problem, read_upstream_error

__all__ = [
    "ANTHROPIC",
    "OPENAI",
    "Dialect",
    "UpstreamProblem",
    "anthropic_error_event",
    "anthropic_status",
    "clean",
    "find_problem",
    "openai_error_event",
    "openai_status",
    "read_upstream_error",
    "render_anthropic",
    "render_openai",
]

_OVERLOADED = 529

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    _OVERLOADED: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of clients is told what went wrong."""

    name: str
    status: Callable[[GatewayError], int]
    render: Callable[[GatewayError, str | None], bytes]
    error_event: Callable[[GatewayError], bytes]
    heartbeat: bytes  # tells a waiting client that its stream lives, and means nothing


def openai_status(error: GatewayError) -> int:
    return int(error.status)


def anthropic_status(error: GatewayError) -> int:
    """As everywhere, but for a dialect whose clients know 529 as "overloaded"."""
    return _OVERLOADED if isinstance(error, NoBackendError | OverloadedError) else int(error.status)


def render_openai(error: GatewayError, request_id: str | None = None) -> bytes:
    body: dict[str, Any] = {"error": _openai_error(error)}
    if request_id:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def render_anthropic(error: GatewayError, request_id: str | None = None) -> bytes:
    body: dict[str, Any] = {"type": "error", "error": _anthropic_error(error)}
    if request_id:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def openai_error_event(error: GatewayError) -> bytes:
    """The last event of a stream that broke; no ``[DONE]`` may follow."""
    return sse.frame(msgspec.json.encode({"error": {**_openai_error(error), "param": None}}))


def anthropic_error_event(error: GatewayError) -> bytes:
    body = {"type": "error", "error": _anthropic_error(error)}
    return sse.frame(msgspec.json.encode(body), "error")


OPENAI = Dialect("openai", openai_status, render_openai, openai_error_event, sse.HEARTBEAT)
_PING = sse.frame(b'{"type":"ping"}', "ping")
ANTHROPIC = Dialect("anthropic", anthropic_status, render_anthropic, anthropic_error_event, _PING)


def _openai_error(error: GatewayError) -> dict[str, str | None]:
    """A plain invalid request has no code in this dialect: its ``param`` says what is wrong."""
    code = None if error.code == InvalidRequestError.code else error.code
    return {"message": str(error), "type": error.kind, "param": error.param, "code": code}


def _anthropic_error(error: GatewayError) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(anthropic_status(error), "api_error")
    body: dict[str, Any] = {"type": kind, "message": str(error)}
    if isinstance(error, ThreadsUnsupportedError):
        # By this the vendor's SDKs know to ask again without.
        body["details"] = {"error_code": error.code}
    return body
