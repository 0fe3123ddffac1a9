"""The official ``openai`` package: what the gateway itself refuses, as the SDK's own exceptions."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.stack import Stack
from tests.stack.of_module import stack_of_module

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


@pytest.fixture
def people(stack: Stack) -> Generator["People"]:
    with ExitStack() as clients:
        yield People(stack, clients)


class People:
    """Clients with a user, a key and a policy of their own."""

    def __init__(self, stack: Stack, clients: ExitStack) -> None:
        self.stack = stack
        self.clients = clients

    def add(
        self,
        name: str,
        policy: dict[str, Any] | None = None,
        key: dict[str, Any] | None = None,
        **user: Any,  # noqa: ANN401
    ) -> openai.OpenAI:
        secret = f"llm-{name}-" + "0123456789abcdef" * 3
        policies = [{"models": ["*"], **(policy or {}), "name": name}]
        keys = [{"name": name, "key": secret, **(key or {})}]
        fields = {"email": f"{name}@example.com", "policy": name, "limit_usd": "100", **user}
        self.stack.apply({"policies": policies, "users": [{**fields, "keys": keys}]})
        return self.open(secret)

    def open(self, secret: str) -> openai.OpenAI:
        return self.clients.enter_context(self.stack.openai(secret))


def ask(client: openai.OpenAI, model: str = "chat", **options: Any) -> Any:  # noqa: ANN401
    options = {"messages": MESSAGES, **options}
    return client.chat.completions.create(model=model, **options)


def test_an_unknown_key_is_an_authentication_error(people: People) -> None:
    for key in ("llm-nope", "sk-" + "a" * 200):
        for call in (ask, lambda client: client.models.list(), embed):
            with pytest.raises(openai.AuthenticationError) as failed:
                call(people.open(key))
            assert failed.value.code == "invalid_api_key"


def embed(client: openai.OpenAI) -> Any:  # noqa: ANN401
    return client.embeddings.create(model="embed", input="x")


def test_a_disabled_key_or_user_is_an_authentication_error(people: People) -> None:
    disabled = people.add("no-key", key={"enabled": False})
    locked = people.add("no-user", status="disabled")
    expired = people.add("old-key", key={"valid_until": "2020-01-01T00:00:00Z"})
    for client in (disabled, locked, expired):
        with pytest.raises(openai.AuthenticationError):
            ask(client)


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as failed:
        ask(client, "nope")
    assert (failed.value.code, failed.value.param) == ("model_not_found", "model")
    assert "nope" in str(failed.value)


def test_a_model_of_others_is_a_denied_permission(people: People) -> None:
    client = people.add("narrow", {"models": ["embed"]})
    with pytest.raises(openai.PermissionDeniedError) as failed:
        ask(client)
    assert (failed.value.code, failed.value.param) == ("model_not_allowed", "model")
    assert [model.id for model in client.models.list()] == ["embed"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("chat")


def test_our_own_rate_limit_is_a_rate_limit_error(people: People) -> None:
    client = people.add("often", {"rate_limit": 2, "rate_limit_window_seconds": 3600})
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES)
    assert raw.headers["x-ratelimit-limit-requests"] == "2"
    assert raw.headers["x-ratelimit-remaining-requests"] == "1"
    ask(client)
    with pytest.raises(openai.RateLimitError) as failed:
        ask(client)
    assert failed.value.code == "rate_limit_exceeded"
    assert 0 < int(failed.value.response.headers["retry-after"]) <= 2 * 3600


def test_an_empty_allowance_is_a_rate_limit_error_as_with_the_vendor(people: People) -> None:
    client = people.add("poor", limit_usd="0.000001")
    with pytest.raises(openai.RateLimitError) as failed:
        ask(client)
    assert (failed.value.code, failed.value.type) == ("insufficient_quota", "insufficient_quota")


def test_a_bad_request_names_the_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as failed:
        ask(client, n=0)
    assert failed.value.param == "n"


def test_a_model_without_price_is_not_sold(stack: Stack, client: openai.OpenAI) -> None:
    stack.add_model("unpriced", prices={})
    with pytest.raises(openai.InternalServerError) as failed:
        ask(client, "unpriced")
    assert (failed.value.status_code, failed.value.code) == (503, "model_not_sellable")
