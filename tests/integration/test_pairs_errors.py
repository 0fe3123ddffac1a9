"""Both SDKs with upstreams of both protocols: every failure is an exception of the SDK's own."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.integration.sdk_models import (
    HELLO,
    add_caller,
    add_pairs,
    assert_free,
    both,
    open_anthropic,
    stack_of_pairs,
)
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.stack import KEY

SAID = "".join(f" tok{index:05d}" for index in range(10))
WHAT_NOBODY_MAY_SEE = ("sk-", "http", "org-demo", "127.0.0.1", ".com")
# Suffix of the upstream model, and what both SDKs raise.
FAILURES: dict[str, tuple[str, str, int, str]] = {
    "invalid": ("e400", "BadRequestError", 400, "upstream_rejected"),
    "unprocessable": ("e422", "BadRequestError", 400, "upstream_rejected"),
    "too-large": ("e413", "BadRequestError", 400, "upstream_rejected"),
    "too-long": ("ctx", "BadRequestError", 400, "context_length_exceeded"),
    "refusing": ("policy", "BadRequestError", 400, "content_filter"),
    "limited": ("e429-ra7", "RateLimitError", 429, "upstream_rate_limited"),
    "locked": ("e401", "InternalServerError", 502, "upstream_error"),
    "forbidden": ("e403", "InternalServerError", 502, "upstream_error"),
    "unknown-there": ("e404", "InternalServerError", 502, "upstream_error"),
    "out-of-money": ("quota", "InternalServerError", 502, "upstream_error"),
    "broken": ("e500", "InternalServerError", 502, "upstream_error"),
    "busy": ("e503", "InternalServerError", 502, "upstream_error"),
    "overloaded": ("e529", "InternalServerError", 502, "upstream_error"),
    "gone": ("refuse", "InternalServerError", 502, "upstream_error"),
    "garbled": ("badjson", "InternalServerError", 502, "upstream_error"),
    "silent": ("hang", "InternalServerError", 504, "upstream_timeout"),
}
# Before a stream begins a status says the same as before a whole answer: one of each kind will do.
ASKED = [(name, False) for name in FAILURES] + [
    (name, True) for name in ("invalid", "limited", "locked", "broken", "garbled", "silent")
]
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
BREAKS = {"reset": "k5", "closed": "c5", "failed": "err5", "unfinished": "midfinish5"}


@dataclass(frozen=True, slots=True)
class Sdk:
    """One of the packages, as far as failures go."""

    name: str
    errors: Any
    open: Callable[..., Any]

    def ask(self, client: Any, model: str, **options: Any) -> Any:  # noqa: ANN401
        asked = {"model": model, "messages": HELLO, **options}
        if self.name == "openai":
            return client.chat.completions.create(**asked)
        return client.messages.create(**{"max_tokens": 100, **asked})

    def assert_refused(self, error: Any, status: int, code: str) -> None:  # noqa: ANN401
        """Status and kind; codes are what one of the dialects has."""
        assert error.status_code == status
        if self.name == "openai":
            assert error.code == code
            return
        assert error.body["type"] == "error"
        assert error.body["error"]["type"] == ANTHROPIC_TYPES.get(status, "api_error")
        assert error.body["request_id"] == error.request_id


def _open_openai(stack: Stack, key: str = KEY) -> openai.OpenAI:
    return stack.openai(key)


SDKS = {
    "openai": Sdk("openai", openai, _open_openai),
    "anthropic": Sdk("anthropic", anthropic, open_anthropic),
}
with_either_sdk = pytest.mark.parametrize("sdk", SDKS.values(), ids=list(SDKS))


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, {"chat": "sim-chat"}) as running:
        yield running


@pytest.mark.parametrize(("name", "stream"), ASKED)
@with_either_sdk
@both
def test_a_failed_upstream_is_the_sdks_own_exception_and_costs_nothing(
    stack: Stack, protocol: str, sdk: Sdk, name: str, *, stream: bool
) -> None:
    suffix, kind, status, code = FAILURES[name]
    # What one call did to the health of a backend must not decide another.
    unique = f"{name}-for-{sdk.name}-{stream}"
    add_pairs(stack, {unique: f"sim-chat-{suffix}"}, limits={"total_seconds": 0.5})
    with sdk.open(stack) as client, pytest.raises(getattr(sdk.errors, kind)) as failed:
        sdk.ask(client, f"{protocol}-{unique}", stream=stream)
    sdk.assert_refused(failed.value, status, code)
    assert [word for word in WHAT_NOBODY_MAY_SEE if word in str(failed.value)] == []
    if name == "limited":
        assert failed.value.response.headers["retry-after"] == "7"
    record, _ = assert_free(stack, failed.value.request_id)
    assert (record.status, record.http_status, record.error_code) == ("failed", status, code)


@pytest.mark.parametrize("name", BREAKS)
@with_either_sdk
@both
def test_a_stream_that_breaks_half_way_raises_after_what_was_said(
    stack: Stack, protocol: str, sdk: Sdk, name: str
) -> None:
    unique = f"{name}-for-{sdk.name}"
    # One of the protocols begins with a ping and the start of a block.
    suffix = BREAKS[name] if protocol == "openai" else BREAKS[name].replace("5", "7")
    # Slow enough that what was said has left before the break is seen.
    upstreams = {unique: f"sim-chat-n10-d15-{suffix}"}
    add_pairs(stack, upstreams, capabilities={"rescue": "none"})
    words: list[str] = []
    with sdk.open(stack) as client:
        events = sdk.ask(client, f"{protocol}-{unique}", stream=True)
        with pytest.raises(sdk.errors.APIError) as broken:
            listen(events, words)
    assert "".join(words) == SAID[: 4 * len(" tok00000")]
    assert "broke off" in str(broken.value)
    reference = events.response.headers["x-sluice-request"]
    record, entry = wait_for_settled(stack, reference)
    assert (record.status, record.error_code) == ("interrupted", "upstream_interrupted")
    assert (record.basis, entry.kind) == ("estimated", "charge")
    assert 0 < record.charge_nanos < 20 * 10_000


def listen(events: Iterable[Any], words: list[str]) -> None:
    words.extend(_text_of(event) or "" for event in events)


def _text_of(event: Any) -> str | None:  # noqa: ANN401
    if isinstance(event, openai.types.chat.ChatCompletionChunk):
        return event.choices[0].delta.content if event.choices else None
    is_text = event.type == "content_block_delta" and event.delta.type == "text_delta"
    return event.delta.text if is_text else None


@with_either_sdk
def test_what_the_gateway_refuses_is_the_sdks_own_exception(stack: Stack, sdk: Sdk) -> None:
    def refused(kind: str, status: int, code: str, key: str = KEY, **options: Any) -> Any:  # noqa: ANN401
        asked = {"model": "openai-chat", **options}
        with sdk.open(stack, key) as client, pytest.raises(getattr(sdk.errors, kind)) as failed:
            sdk.ask(client, **asked)
        sdk.assert_refused(failed.value, status, code)
        return failed.value

    refused("AuthenticationError", 401, "invalid_api_key", key="llm-nobody")
    refused("NotFoundError", 404, "model_not_found", model="nope")
    narrow = add_caller(stack, f"narrow-{sdk.name}", {"models": ["anthropic-chat"]})
    refused("PermissionDeniedError", 403, "model_not_allowed", key=narrow)
    often = add_caller(
        stack, f"often-{sdk.name}", {"rate_limit": 1, "rate_limit_window_seconds": 3600}
    )
    with sdk.open(stack, often) as client:
        sdk.ask(client, "openai-chat")
    limited = refused("RateLimitError", 429, "rate_limit_exceeded", key=often)
    assert 0 < int(limited.response.headers["retry-after"]) <= 2 * 3600
    poor = add_caller(stack, f"poor-{sdk.name}", limit_usd="0.000001")
    refused("RateLimitError", 429, "insufficient_quota", key=poor)
    stack.add_model("unpriced", prices={})
    refused("InternalServerError", 503, "model_not_sellable", model="unpriced")
    stack.add_model("deserted", backends=[])
    status = 503 if sdk.name == "openai" else 529
    deserted = refused("InternalServerError", status, "no_backend_available", model="deserted")
    assert int(deserted.response.headers["retry-after"]) >= 1


@both
def test_a_bad_request_names_the_field(stack: Stack, protocol: str) -> None:
    """Whether or not it has to be read for another protocol."""
    model = f"{protocol}-chat"
    with stack.openai() as client, pytest.raises(openai.BadRequestError) as failed:
        SDKS["openai"].ask(client, model, messages=[])
    assert failed.value.param == "messages"
    with open_anthropic(stack) as other:
        wrong: dict[str, Any] = {"messages": [], "max_tokens": 0}
        for field, value in wrong.items():
            with pytest.raises(anthropic.BadRequestError) as refused:
                SDKS["anthropic"].ask(other, model, **{field: value})
            SDKS["anthropic"].assert_refused(refused.value, 400, "")
            assert field in str(refused.value)


@with_either_sdk
def test_a_body_that_is_too_large_is_refused_with_413(stack: Stack, sdk: Sdk) -> None:
    messages = [{"role": "user", "content": "x" * (32 * 1024 * 1024)}]
    with sdk.open(stack) as client, pytest.raises(sdk.errors.APIStatusError) as failed:
        sdk.ask(client, "openai-chat", messages=messages)
    sdk.assert_refused(failed.value, 413, "request_too_large")
    if sdk.name == "anthropic":
        assert isinstance(failed.value, anthropic.RequestTooLargeError)


@with_either_sdk
@both
def test_a_circuit_that_opened_answers_that_nobody_can(
    stack: Stack, protocol: str, sdk: Sdk
) -> None:
    unique = f"dying-for-{sdk.name}"
    add_pairs(stack, {unique: "sim-chat-e500"})
    status = 503 if sdk.name == "openai" else 529
    errors: list[Any] = []
    with sdk.open(stack) as client:
        while len(errors) < 20 and (not errors or errors[-1].status_code != status):
            with pytest.raises(sdk.errors.InternalServerError) as failed:
                sdk.ask(client, f"{protocol}-{unique}")
            errors.append(failed.value)
    assert {error.status_code for error in errors} == {502, status}
    sdk.assert_refused(errors[-1], status, "no_backend_available")
    if sdk.name == "anthropic":
        assert isinstance(errors[-1], anthropic.OverloadedError)


def test_after_all_these_failures_the_books_agree(stack: Stack) -> None:
    with stack.openai() as client:
        client.chat.completions.create(model="openai-chat", messages=HELLO)
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert stack.differences() == []
