"""Whatever goes wrong, the answer is in the dialect of its route and names the request."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sanic import HTTPResponse, Sanic
from sanic.compat import Header
from sanic.exceptions import MethodNotAllowed, NotFound, PayloadTooLarge

from api import errors
from api.context import App, Request
from gateway.errors import GatewayError, NoBackendError, OverloadedError, RateLimitedError

NAME = "req_1"
# Stands for what Sanic says; the texts are its own and never passed on.
REFUSALS = {
    404: NotFound("x"),
    405: MethodNotAllowed("x", "GET", ["POST"]),
    413: PayloadTooLarge("x"),
}


def answer(error: Exception, path: str) -> tuple[HTTPResponse, dict[str, Any]]:
    """As the application registers its handlers."""
    context = SimpleNamespace(settings=SimpleNamespace(api=SimpleNamespace(max_body_bytes=9)))
    request = SimpleNamespace(
        path=path,
        headers=Header(),
        method="POST",
        ctx=SimpleNamespace(request_id=NAME),
        app=SimpleNamespace(ctx=context),
    )
    app = cast("App", Sanic("errors", configure_logging=False))
    try:
        errors.register(app)
        handler = app.error_handler.lookup(error)
    finally:
        Sanic.unregister_app(cast("Any", app))
    assert handler is not None
    response: HTTPResponse = handler(cast("Request", request), error)
    assert response.headers["x-request-id"] == NAME
    assert response.body is not None
    body: dict[str, Any] = json.loads(response.body)
    assert body["request_id"] == NAME
    return response, body


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ValueError("a secret"), 500, "api_error"),
        (GatewayError(), 500, "api_error"),
        (REFUSALS[404], 404, "not_found_error"),
        (REFUSALS[405], 405, "invalid_request_error"),
        (REFUSALS[413], 413, "request_too_large"),
        (OverloadedError(), 529, "overloaded_error"),
        (NoBackendError(), 529, "overloaded_error"),
    ],
)
def test_below_messages_all_speak_one_dialect(error: Exception, status: int, kind: str) -> None:
    response, body = answer(error, "/v1/messages/anything")
    assert response.status == status
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert response.headers["request-id"] == NAME
    assert "secret" not in str(body)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("a secret"), 500, "internal_error"),
        (REFUSALS[404], 404, "not_found"),
        (REFUSALS[413], 413, "request_too_large"),
        (OverloadedError(), 503, "overloaded"),
    ],
)
def test_elsewhere_they_speak_the_other(error: Exception, status: int, code: str) -> None:
    response, body = answer(error, "/v1/chat/completions")
    assert (response.status, body["error"]["code"]) == (status, code)
    assert "request-id" not in response.headers
    assert "secret" not in str(body)


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/v1/messages", "anthropic-ratelimit-requests-remaining"),
        ("/v1/embeddings", "x-ratelimit-remaining-requests"),
    ],
)
def test_a_refusal_says_what_is_left_and_when_to_come_back(path: str, header: str) -> None:
    error = RateLimitedError().with_retry_after(1.2)
    error.rate_limits = {"r": ("60", "0", 1.2)}
    response, _ = answer(error, path)
    assert response.headers[header] == "0"
    assert response.headers["retry-after"] == "2"
