"""Whose fault a failure is, in the words of many vendors."""

import json
from typing import Any

import pytest

from gateway.errors import (
    Blame,
    UpstreamContentPolicyError,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
)
from gateway.protocols.canonical import UpstreamProblem
from gateway.providers import PROVIDERS, private_names
from tests.unit.providers.target import FakeTarget

BROKEN = UpstreamError
LIMITED = UpstreamRateLimitedError
REJECTED = UpstreamRejectedError
CONTEXT = UpstreamContextLengthError
POLICY = UpstreamContentPolicyError
KEY = "hunter"


def classified(status: int, body: bytes, secret: str = "", *names: str) -> UpstreamError:
    """By both adapters, which must agree."""
    errors = [provider.classify(status, {}, body, secret, names) for provider in PROVIDERS.values()]
    assert len({(type(error), error.blame, str(error)) for error in errors}) == 1
    return errors[0]


def said(message: str = "m", **fields: Any) -> bytes:  # noqa: ANN401
    return json.dumps({"error": {"message": message, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "blame"),
    [
        (401, b"{}", BROKEN, Blame.KEY),
        (402, said("Insufficient Balance"), BROKEN, Blame.KEY),
        (403, b"{}", BROKEN, Blame.KEY),
        (429, b"{}", LIMITED, Blame.KEY),
        (429, said(code="insufficient_quota"), BROKEN, Blame.KEY),
        (429, said(type="exceeded_current_quota_error"), BROKEN, Blame.KEY),
        (429, said(code="1113"), BROKEN, Blame.KEY),
        (400, said("Your credit balance is too low to access the API"), BROKEN, Blame.KEY),
        (400, said("API key not valid. Please pass a valid API key."), BROKEN, Blame.KEY),
        (413, said("Request too large", code="rate_limit_exceeded"), LIMITED, Blame.KEY),
        (404, said(code="model_not_found"), BROKEN, Blame.MODEL),
        (404, said("model: claude-none", type="not_found_error"), BROKEN, Blame.MODEL),
        (404, said("model 'x' not found, try pulling it first"), BROKEN, Blame.MODEL),
        (404, said("Not here", code="DeploymentNotFound"), BROKEN, Blame.MODEL),
        (400, said("Model Not Exist", type="invalid_request_error"), BROKEN, Blame.MODEL),
        (404, b'{"detail":"Not Found"}', BROKEN, Blame.BACKEND),
        (404, b"<html><title>404 Not Found</title>", BROKEN, Blame.BACKEND),
        (404, said("No such item", type="invalid_request_error"), REJECTED, Blame.CALLER),
        (400, said(), REJECTED, Blame.CALLER),
        (413, said(type="request_too_large"), REJECTED, Blame.CALLER),
        (422, said(), REJECTED, Blame.CALLER),
        (302, b"", BROKEN, Blame.BACKEND),
        (408, said(), BROKEN, Blame.BACKEND),
        (500, b"", BROKEN, Blame.BACKEND),
        (503, b"<html>", BROKEN, Blame.BACKEND),
        (529, said(type="overloaded_error"), BROKEN, Blame.BACKEND),
    ],
)
def test_whose_fault_a_refusal_is(
    status: int, body: bytes, kind: type[UpstreamError], blame: Blame
) -> None:
    error = classified(status, body)
    assert (type(error), error.blame) == (kind, blame)
    assert error.upstream_status == status


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, said(code="context_length_exceeded")),
        (400, said("This model's maximum context length is 8192 tokens.")),
        (400, said("prompt is too long: 210000 tokens > 200000 maximum")),
        (400, said("Input is too long for requested model.")),
        (400, said("Your input exceeds the context window of this model.")),
        (400, said("This model's maximum prompt length is 131072 but ...")),
        (400, said("The input token count (9) exceeds the maximum number of tokens allowed (8)")),
        (400, said("Range of input length should be [1, 30720]")),
        (400, said("input length and `max_tokens` exceed context limit: 1 + 2 > 2")),
        (413, said("Prompt too long")),
        (500, said("the request exceeds the available context size. try increasing it")),
    ],
)
def test_what_is_too_long_is_known_by_code_or_words(status: int, body: bytes) -> None:
    error = classified(status, body)
    assert type(error) is CONTEXT
    assert (error.code, error.status) == ("context_length_exceeded", 400)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, said(code="content_filter")),
        (400, said(code="content_policy_violation")),
        (400, said(code="data_inspection_failed")),
        (400, said("Content Exists Risk", type="invalid_request_error")),
        (400, said("The prompt triggered our content management policy.")),
        (400, said("Output blocked by content filtering policy")),
        (403, said("Your input was flagged by moderation")),
    ],
)
def test_what_is_against_the_rules_is_known_by_code_or_words(status: int, body: bytes) -> None:
    error = classified(status, body)
    assert type(error) is POLICY
    assert (error.code, error.status, error.blame) == ("content_filter", 400, Blame.CALLER)


@pytest.mark.parametrize(
    ("problem", "kind", "blame", "status"),
    [
        (UpstreamProblem("Overloaded", type="overloaded_error"), BROKEN, Blame.BACKEND, 529),
        (UpstreamProblem("m", type="rate_limit_error"), LIMITED, Blame.KEY, 429),
        (UpstreamProblem("m", code="rate_limit_exceeded"), LIMITED, Blame.KEY, 429),
        (UpstreamProblem("m", type="authentication_error"), BROKEN, Blame.KEY, 401),
        (UpstreamProblem("m", type="permission_error"), BROKEN, Blame.KEY, 403),
        (UpstreamProblem("m", type="invalid_request_error"), REJECTED, Blame.CALLER, 400),
        (
            UpstreamProblem("m", type="invalid_request_error", code="context_length_exceeded"),
            CONTEXT,
            Blame.CALLER,
            400,
        ),
        (UpstreamProblem("m", code="content_filter"), POLICY, Blame.CALLER, 400),
        (UpstreamProblem("m", type="api_error"), BROKEN, Blame.BACKEND, 500),
        (UpstreamProblem("m", type="server_error", code="x"), BROKEN, Blame.BACKEND, 500),
        (UpstreamProblem("m", code="insufficient_quota"), BROKEN, Blame.KEY, 429),
        (UpstreamProblem("m", code="502"), BROKEN, Blame.BACKEND, 502),
        (UpstreamProblem("m", type="BadRequestError", code="400"), REJECTED, Blame.CALLER, 400),
        (UpstreamProblem("m", type="not_found_error"), REJECTED, Blame.CALLER, 404),
        (UpstreamProblem("prompt is too long"), CONTEXT, Blame.CALLER, 500),
        (UpstreamProblem(""), BROKEN, Blame.BACKEND, 500),
    ],
)
def test_an_event_stands_for_the_status_that_came_too_late(
    problem: UpstreamProblem, kind: type[UpstreamError], blame: Blame, status: int
) -> None:
    for provider in PROVIDERS.values():
        error = provider.classify_event(problem, "")
        assert (type(error), error.blame) == (kind, blame)
        assert error.upstream_status == status


@pytest.mark.parametrize("status", [429, 503, 529])
def test_the_time_to_wait_is_kept_of_every_kind(status: int) -> None:
    for provider in PROVIDERS.values():
        error = provider.classify(status, {"retry-after": "7"}, b"{}", "")
        assert error.retry_after_seconds == 7.0


def test_the_caller_reads_the_vendors_words_without_our_key_host_and_backend() -> None:
    target = FakeTarget(base_url="https://gpu-7.corp:8443/v1", backend_slug="blue", secret=KEY)
    message = "blue: hunter is wrong at gpu-7.corp (blueprint, Blue, true-blue), gpu-7.corp:8443"

    error = classified(422, said(message, param="x"), target.secret, *private_names(target))

    assert str(error) == (
        "[removed]: [removed] is wrong at [removed] (blueprint, [removed], true-blue), [removed]"
    )
    assert error.param == "x"


def test_what_is_wrong_with_our_key_is_told_to_the_operator_alone() -> None:
    error = classified(401, said("Incorrect API key provided: sk-abc***xyz"), "sk-abc")
    assert (error.status, str(error)) == (502, UpstreamError.message)
    assert "Incorrect" in str(error.context["vendor"])
    assert "sk-abc" not in str(error.context["vendor"])
