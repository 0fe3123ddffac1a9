"""Errors reach clients in their dialect, and a vendor's words reach them without its secrets."""

import json
import time

import pytest

from gateway import errors as gateway_errors
from gateway.errors import (
    ContextLengthError,
    GatewayError,
    InsufficientQuotaError,
    InvalidApiKeyError,
    InvalidRequestError,
    MethodNotAllowedError,
    ModelNotAllowedError,
    ModelNotFoundError,
    ModelNotSellableError,
    NoBackendError,
    OutsideTimeRangeError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    UnavailableError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway.protocols import errors, sse

TABLE = [
    (InvalidRequestError, 400, "invalid_request_error", None, 400, "invalid_request_error"),
    (
        ContextLengthError,
        400,
        "invalid_request_error",
        "context_length_exceeded",
        400,
        "invalid_request_error",
    ),
    (
        InvalidApiKeyError,
        401,
        "authentication_error",
        "invalid_api_key",
        401,
        "authentication_error",
    ),
    (ModelNotAllowedError, 403, "permission_error", "model_not_allowed", 403, "permission_error"),
    (OutsideTimeRangeError, 403, "permission_error", "outside_time_range", 403, "permission_error"),
    (ModelNotFoundError, 404, "invalid_request_error", "model_not_found", 404, "not_found_error"),
    (
        MethodNotAllowedError,
        405,
        "invalid_request_error",
        "method_not_allowed",
        405,
        "invalid_request_error",
    ),
    (
        RequestTooLargeError,
        413,
        "invalid_request_error",
        "request_too_large",
        413,
        "request_too_large",
    ),
    (RateLimitedError, 429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error"),
    (
        InsufficientQuotaError,
        429,
        "insufficient_quota",
        "insufficient_quota",
        429,
        "rate_limit_error",
    ),
    (GatewayError, 500, "server_error", "internal_error", 500, "api_error"),
    (UpstreamError, 502, "server_error", "upstream_error", 502, "api_error"),
    (UpstreamInterruptedError, 502, "server_error", "upstream_interrupted", 502, "api_error"),
    (
        UpstreamRejectedError,
        400,
        "invalid_request_error",
        "upstream_rejected",
        400,
        "invalid_request_error",
    ),
    (
        UpstreamRateLimitedError,
        429,
        "rate_limit_error",
        "upstream_rate_limited",
        429,
        "rate_limit_error",
    ),
    (NoBackendError, 503, "server_error", "no_backend_available", 529, "overloaded_error"),
    (OverloadedError, 503, "server_error", "overloaded", 529, "overloaded_error"),
    (UnavailableError, 503, "server_error", "temporarily_unavailable", 503, "api_error"),
    (ModelNotSellableError, 503, "server_error", "model_not_sellable", 503, "api_error"),
    (UpstreamTimeoutError, 504, "server_error", "upstream_timeout", 504, "api_error"),
]


@pytest.mark.parametrize(("error", "status", "type_", "code", "other_status", "other_type"), TABLE)
def test_an_error_has_the_status_and_type_of_each_dialect(
    error: type[GatewayError],
    status: int,
    type_: str,
    code: str | None,
    other_status: int,
    other_type: str,
) -> None:
    raised = error("What happened.", param="n") if status == 400 else error("What happened.")
    assert errors.openai_status(raised) == status
    assert json.loads(errors.render_openai(raised, "req_1")) == {
        "error": {"message": "What happened.", "type": type_, "param": raised.param, "code": code},
        "request_id": "req_1",
    }
    assert errors.anthropic_status(raised) == other_status
    assert json.loads(errors.render_anthropic(raised, "req_1")) == {
        "type": "error",
        "error": {"type": other_type, "message": "What happened."},
        "request_id": "req_1",
    }


def test_every_error_can_be_rendered_in_both_dialects() -> None:
    classes = [
        value
        for value in vars(gateway_errors).values()
        if isinstance(value, type) and issubclass(value, GatewayError)
    ]
    assert len(classes) > 15
    for error in classes:
        assert json.loads(errors.render_openai(error()))["error"]["message"] == error.message
        assert json.loads(errors.render_anthropic(error()))["error"]["message"] == error.message


def test_an_error_in_a_stream_is_an_event_of_its_dialect() -> None:
    error = UpstreamInterruptedError()
    event = errors.openai_error_event(error)
    assert json.loads(sse.data_of(event)) == {
        "error": {
            "message": error.message,
            "type": "server_error",
            "code": "upstream_interrupted",
            "param": None,
        }
    }
    assert sse.name_of(event) is None
    event = errors.anthropic_error_event(error)
    assert sse.name_of(event) == b"error"
    assert json.loads(sse.data_of(event)) == {
        "type": "error",
        "error": {"type": "api_error", "message": error.message},
    }


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("See https://api.vendor.com/v1/errors?key=sk-1 for help.", "See [address] for help."),
        ("wss://vendor.test/x", "[address]"),
        (
            "Could not reach api.vendor.com:443/v1, try again",
            "Could not reach [address], try again",
        ),
        ("host 10.0.0.12:8080 refused", "host [address] refused"),
        ("at [fe80::1]:443 and 2001:db8:0:0:0:0:0:1 now", "at [address] and [address] now"),
        ("localhost:11434 is away", "[address] is away"),
        ("upstream gpu-node-7:8000 failed", "upstream [address] failed"),
        ("Incorrect API key provided: sk-proj-abc***wxyz.", "Incorrect API key provided: [key]"),
        ("Authorization: Bearer abc.def-123456 is wrong", "Authorization: [key] is wrong"),
        ("key 0123456789abcdef0123456789abcdef is wrong", "key [key] is wrong"),
        ("in organization org-AbC123xyz on tokens", "in organization [removed] on tokens"),
        ("Model GPU-West-1 is overloaded", "Model [removed] is overloaded"),
        (
            "The gpt-4.1-mini model allows 128000 tokens.",
            "The gpt-4.1-mini model allows 128000 tokens.",
        ),
        (
            "messages[0].content: expected str, at 12:34:56",
            "messages[0].content: expected str, at 12:34:56",
        ),
        ("version 1.2.3 of e.g. std::vector", "version 1.2.3 of e.g. std::vector"),
        ("max_tokens: 400 is too large: use a skill", "max_tokens: 400 is too large: use a skill"),
        ("see ...api.vendor.com/v1 or *.pod.svc:80", "see ...[address] or *.[address]"),
        ("x=api.vendor.com, user@mail.vendor.com", "x=[address], user@[address]"),
        ("at --my-service:8080 and x.my_svc:80/v1", "at [address] and x.[address]"),
        ("at 1a-node-svc:80 or a--node-7:8000", "at [address] or [address]"),
        (f"{'n' * 70}.vendor.com", "[address]"),
        ("from 2024-05-06T10:30 on", "from 2024-05-06T10:30 on"),
        ("nul\x00 and \x1b[31mred\nnext line", "nul  and  [31mred\nnext line"),
        ("", ""),
    ],
)
def test_a_vendors_message_is_cleaned(text: str, cleaned: str) -> None:
    assert errors.clean(text, ["", "gpu-west-1"]) == cleaned


@pytest.mark.parametrize(
    "unit", ["a.", "1.", "a-", "a_", "1a-", "a--", "--", "-.", "_a-", "a.com-", "1.1-", "a:", "sk-"]
)
def test_cleaning_takes_as_long_for_hostile_text_as_for_plain(unit: str) -> None:
    plain = "The model is overloaded, try again. " * 1_000
    assert _best_seconds(unit * 20_000) <= 6 * _best_seconds(plain)


def _best_seconds(text: str) -> float:
    def measured() -> float:
        start = time.perf_counter()
        errors.clean(text)
        return time.perf_counter() - start

    return min(measured() for _ in range(10))


def test_a_page_of_nothing_but_spaces_is_read_at_once() -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        errors.read_upstream_error(502, b"<title>" + b" " * size + b"x")
        return time.process_time() - start

    assert seconds(1_900) <= 0.05 + 3 * seconds(950)


@pytest.mark.parametrize("unit", ["a", "a-", "a.", "1.", "a:", "sk-", "::", "http://", "[", " "])
def test_cleaning_hostile_text_ends(unit: str) -> None:
    """In quadratic time this would not end within the time-out of a test."""
    assert len(errors.clean(unit * 1_000_000)) <= 2_000


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            {"error": {"message": "No.", "type": "t", "code": "c", "param": "p"}},
            errors.UpstreamProblem("No.", "t", "c", "p"),
        ),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            errors.UpstreamProblem("Overloaded", "overloaded_error"),
        ),
        ({"error": "No."}, errors.UpstreamProblem("No.")),
        ({"error": "invalid", "message": "No."}, errors.UpstreamProblem("No.")),
        ({"message": "No.", "code": 400}, errors.UpstreamProblem("No.", code="400")),
        ({"detail": "No."}, errors.UpstreamProblem("No.")),
        ({"detail": [{"loc": ["body"], "msg": "No."}]}, errors.UpstreamProblem("No.")),
        ({"object": "error", "message": "No.", "type": "t"}, errors.UpstreamProblem("No.", "t")),
        (
            [{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}],
            errors.UpstreamProblem("No.", "INVALID_ARGUMENT", "400"),
        ),
        ({"errors": [{"message": "No."}]}, errors.UpstreamProblem("No.")),
        ({"error_code": 18, "error_msg": "No."}, errors.UpstreamProblem("No.")),
        ("No.", errors.UpstreamProblem("No.")),
    ],
)
def test_a_vendors_error_is_understood_in_every_shape(
    body: object, problem: errors.UpstreamProblem
) -> None:
    assert errors.read_upstream_error(400, json.dumps(body).encode()) == problem


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The provider answered 502 Bad Gateway."),
        (b"{}", "The provider answered 502 Bad Gateway."),
        (b'{"error":{}}', "The provider answered 502 Bad Gateway."),
        (b'{"error":null}', "The provider answered 502 Bad Gateway."),
        (b'{"error":{"message":7}}', "The provider answered 502 Bad Gateway."),
        (b"null", "The provider answered 502 Bad Gateway."),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><head><title>502 Bad\n Gateway</title></head></html>", "502 Bad\n Gateway"),
        (b"<html><body>x</body></html>", "The provider answered 502 Bad Gateway."),
        (b'{"error":{"message":"cut', '{"error":{"message":"cut'),
        (b"[" * 100_000, "[" * 2_000),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_body_without_an_error_has_a_message_too(body: bytes, message: str) -> None:
    assert errors.read_upstream_error(502, body).message == message


def test_a_status_nobody_knows_has_a_message_too() -> None:
    assert errors.read_upstream_error(599, b"").message == "The provider answered 599."
