"""Headers name the request, its model and its limits, in the words of the dialect."""

import datetime as dt
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.people import add_person
from tests.stack import Stack
from tests.stack.of_module import stack_of_module

MESSAGES = [{"role": "user", "content": "hello"}]
BODY: dict[str, Any] = {"model": "chat", "messages": MESSAGES, "max_tokens": 20}
VERSION = {"anthropic-version": "2023-06-01"}
CHAT, MESSAGE = "/v1/chat/completions", "/v1/messages"
MODELS: dict[str, dict[str, Any]] = {
    "chat": {},
    "unpriced": {"prices": {}},
    "stand-in": {},
    "forwarded": {"forward": {"rule": "all", "model": "stand-in"}},
}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    environment = {"SLUICE_API__MAX_BODY_BYTES": "100000"}
    with stack_of_module(sqlite_template, models=MODELS, environment=environment) as running:
        yield running


@pytest.fixture
def http(stack: Stack) -> Generator[httpx.Client]:
    with stack.http() as opened:
        yield opened


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGE])
def test_an_answer_names_request_model_and_attempts(
    http: httpx.Client,
    path: str,
    stream: bool,  # noqa: FBT001
) -> None:
    for model, answered in (("chat", "chat"), ("forwarded", "stand-in")):
        answer = http.post(path, json={**BODY, "model": model, "stream": stream})
        assert answer.status_code == 200, answer.text
        headers = answer.headers
        assert headers["x-request-id"] == headers["x-sluice-request"]
        assert headers["x-sluice-model"] == headers["x-gateway-model"] == answered
        assert headers["x-sluice-attempts"] == "1"
        assert ("x-sluice-cost-usd" in headers) == (not stream)
        assert headers.get("request-id") == (headers["x-request-id"] if path == MESSAGE else None)


@pytest.mark.parametrize("stream", [False, True])
def test_every_attempt_counts(stack: Stack, http: httpx.Client, stream: bool) -> None:  # noqa: FBT001
    slug = f"second-try-{stream}".lower()
    backend = {"slug": slug, "base_url": stack.simulator.openai_url}
    key = {"name": "k", "secret": "sk-upstream-refused"}
    provider = {"code": slug, "name": slug, "adapter": "openai"}
    stack.apply({"providers": [{**provider, "backends": [backend], "keys": [key]}]})
    refusing = {"backend": slug, "upstream_model": "sim-chat-e401", "priority": 9}
    serving = {"backend": "sim", "upstream_model": "sim-chat"}
    stack.add_model(slug, backends=[refusing, serving])
    answer = http.post(CHAT, json={**BODY, "model": slug, "stream": stream})
    assert answer.headers["x-sluice-attempts"] == "2"


def test_the_clients_own_name_for_the_request_comes_back(http: httpx.Client) -> None:
    own = {"x-request-id": "my-own:1"}
    answer = http.post(MESSAGE, json=BODY, headers=own)
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == "my-own:1"
    failed = http.post(MESSAGE, json={**BODY, "model": "nope"}, headers=own)
    assert failed.headers["request-id"] == failed.json()["request_id"] == "my-own:1"


@pytest.mark.parametrize("stream", [False, True])
def test_limits_are_told_as_durations(stack: Stack, stream: bool) -> None:  # noqa: FBT001
    policy = {"rate_limit": 2, "rate_limit_window_seconds": 3600, "tokens_per_minute": 50_000}
    with add_person(stack, f"durations-{stream}", policy) as client:
        headers = client.post(CHAT, json={**BODY, "stream": stream}).headers
        assert headers["x-ratelimit-limit-requests"] == "2"
        assert headers["x-ratelimit-remaining-requests"] == "1"
        assert headers["x-ratelimit-limit-tokens"] == "50000"
        assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 50_000
        for unit in ("requests", "tokens"):
            assert re.fullmatch(r"(\d+m)?\d+\.\d{3}s", headers[f"x-ratelimit-reset-{unit}"])
        client.post(CHAT, json=BODY)
        refused = client.post(CHAT, json=BODY)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert 0 < int(refused.headers["retry-after"]) <= 2 * 3600  # windows slide


@pytest.mark.parametrize("stream", [False, True])
def test_limits_are_told_as_moments_in_the_other_dialect(
    stack: Stack,
    stream: bool,  # noqa: FBT001
) -> None:
    policy = {"rate_limit": 1, "rate_limit_window_seconds": 3600, "tokens_per_minute": 50_000}
    with add_person(stack, f"moments-{stream}", policy) as client:
        headers = client.post(MESSAGE, json={**BODY, "stream": stream}).headers
        assert headers["anthropic-ratelimit-requests-limit"] == "1"
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert headers["anthropic-ratelimit-tokens-limit"] == "50000"
        now = dt.datetime.now(dt.UTC)
        for unit in ("requests", "tokens"):
            reset = dt.datetime.fromisoformat(headers[f"anthropic-ratelimit-{unit}-reset"])
            assert now - dt.timedelta(seconds=2) < reset <= now + dt.timedelta(seconds=3601)
        refused = client.post(MESSAGE, json=BODY)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert 0 < int(refused.headers["retry-after"]) <= 2 * 3600  # windows slide
        assert not [name for name in refused.headers if name.startswith("x-ratelimit")]


def assert_anthropic(answer: httpx.Response, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["", "/", "/batches", "/batches/b1/results", "/%ff", "/a/b/c"])
def test_below_messages_nothing_is_there_in_the_dialect_of_messages(
    http: httpx.Client, path: str
) -> None:
    answer = http.get(f"/v1/messages{path}")
    if path in ("", "/"):
        assert_anthropic(answer, 405, "invalid_request_error")
    elif path == "/%ff":
        assert answer.status_code == 404
    else:
        assert_anthropic(answer, 404, "not_found_error")


def test_refusals_speak_the_dialect_of_messages(stack: Stack, http: httpx.Client) -> None:
    assert_anthropic(http.post(MESSAGE, content=b"{"), 400, "invalid_request_error")
    assert_anthropic(http.post(MESSAGE, json={**BODY, "model": "nope"}), 404, "not_found_error")
    assert_anthropic(http.post(MESSAGE, json={**BODY, "model": "unpriced"}), 503, "api_error")
    assert_anthropic(http.post(MESSAGE, content=b"x" * 100_001), 413, "request_too_large")
    with stack.http("llm-unknown") as stranger:
        assert_anthropic(stranger.post(MESSAGE, json=BODY), 401, "authentication_error")
        assert_anthropic(stranger.get("/v1/models", headers=VERSION), 401, "authentication_error")
        plain = stranger.get("/v1/models")
        assert plain.json()["error"]["code"] == "invalid_api_key"
        assert "request-id" not in plain.headers


def test_overload_has_a_status_of_its_own_in_one_dialect(stack: Stack) -> None:
    backend = {"slug": "idle", "base_url": stack.simulator.openai_url, "enabled": False}
    provider = {"code": "idle", "name": "Idle", "adapter": "openai", "backends": [backend]}
    stack.apply({"providers": [provider]})
    stack.add_model("unserved", backends=[{"backend": "idle", "upstream_model": "sim-chat"}])
    with stack.http() as client:
        overloaded = client.post(MESSAGE, json={**BODY, "model": "unserved"})
        assert_anthropic(overloaded, 529, "overloaded_error")
        assert int(overloaded.headers["retry-after"]) >= 1
        plain = client.post(CHAT, json={**BODY, "model": "unserved"})
        assert (plain.status_code, plain.json()["error"]["code"]) == (503, "no_backend_available")


def test_lists_of_models_are_in_the_dialect_of_who_asks(http: httpx.Client) -> None:
    assert http.get("/v1/models").json()["object"] == "list"
    other = http.get("/v1/models", headers=VERSION)
    assert set(other.json()) == {"data", "has_more", "first_id", "last_id"}
    assert other.headers["request-id"]
    assert_anthropic(http.get("/v1/models/nope", headers=VERSION), 404, "not_found_error")
    assert_anthropic(http.delete("/v1/models", headers=VERSION), 405, "invalid_request_error")
