"""What the table of permissions says is what a running gateway does."""

import re
from collections.abc import Generator, Mapping
from pathlib import Path

import httpx
import pytest

from api.permissions import PERMISSIONS, Permission
from tests.servers.redis import RedisServer
from tests.stack import Stack
from tests.stack.stack import EMAIL

REVOKED = "llm-" + "fedcba9876543210" * 4
# Valid on every route, so that only the key can be wrong.
BODY = {
    "model": "chat",
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 10,
    "input": "hello",
    "prompt": "hello",
}
PLACES = {"model": "chat"}

GUARDED = [route for route, who in PERMISSIONS.items() if who is not Permission.PUBLIC]
PUBLIC = [route for route, who in PERMISSIONS.items() if who is Permission.PUBLIC]

# Of an unusable key: the headers that carry it, and what the answer says about it.
KEYS: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "no key": ({}, "No API key was sent"),
    "an empty key": ({"authorization": "Bearer"}, "No API key was sent"),
    "another scheme": ({"authorization": "Basic YTpi"}, "No API key was sent"),
    "an unknown key": ({"authorization": "Bearer llm-unknown"}, "Unknown API key"),
    "an unknown key elsewhere": ({"x-api-key": "llm-unknown"}, "Unknown API key"),
    "an endless key": ({"authorization": "Bearer " + "k" * 5_000}, "Unknown API key"),
    "a key that is no text": ({"authorization": b"Bearer \xff\xfe"}, ""),
    "a revoked key": ({"authorization": f"Bearer {REVOKED}"}, "disabled"),
}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """One for all: nothing here changes what another test asks for."""
    folder = tmp_path_factory.mktemp("permissions")
    database = folder / "sluice.db"
    database.write_bytes(sqlite_template.read_bytes())
    redis = RedisServer()
    try:
        redis.start()
        with Stack.start(f"sqlite:///{database}", redis, folder) as running:
            running.apply({"users": [{"email": EMAIL, "keys": [{"name": "old", "key": REVOKED}]}]})
            assert _ask(running, ("GET", "/v1/models"), _bearer(REVOKED)).status_code == 200
            running.apply(
                {"users": [{"email": EMAIL, "keys": [{"name": "old", "enabled": False}]}]}
            )
            yield running
    finally:
        redis.discard()


def _bearer(key: str) -> dict[str, str | bytes]:
    return {"authorization": f"Bearer {key}"}


def _ask(
    stack: Stack, route: tuple[str, str], headers: Mapping[str, str | bytes]
) -> httpx.Response:
    method, template = route
    path = re.sub(r"<(\w+)(?::\w+)?>", lambda place: PLACES[place[1]], template)
    body = BODY if method in ("POST", "PUT", "PATCH") else None
    raw = [(n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in headers.items()]
    with httpx.Client(base_url=stack.url, trust_env=False, timeout=20) as client:
        return client.request(method, path, headers=raw, json=body)


def _is_anthropic(route: tuple[str, str]) -> bool:
    return route[1].startswith("/v1/messages")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_a_route_that_is_not_public_is_closed_to(
    stack: Stack, route: tuple[str, str], key: str
) -> None:
    headers, reason = KEYS[key]
    answer = _ask(stack, route, headers)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["type"] == "authentication_error"
    assert error.get("code") == (None if _is_anthropic(route) else "invalid_api_key")
    assert answer.json().get("type") == ("error" if _is_anthropic(route) else None)
    assert reason in error["message"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert stack.open_holds() == 0


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_a_key_opens_the_route(stack: Stack, route: tuple[str, str]) -> None:
    """Without this the test above could pass on a route that is closed to everybody."""
    key = dict(stack.http().headers)["authorization"]
    # The body fits every route, the model only those of its type.
    assert _ask(stack, route, {"authorization": key}).status_code in (200, 400)


LISTS = [("GET", "/v1/models"), ("POST", "/v1/models"), ("GET", "/v1/dashboard/models")]


@pytest.mark.parametrize("route", LISTS, ids=" ".join)
@pytest.mark.parametrize("role", ["user", "manager", "admin"])
def test_where_models_are_served_is_for_managers_and_admins(
    stack: Stack, route: tuple[str, str], role: str
) -> None:
    method, path = route
    with _client_of(stack, role) as client:
        answer = client.request(method, path, params={"is_fastapi": "true"})
    if role == "user":
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "permission_denied"
        assert "base_url" not in answer.text
    else:
        assert answer.status_code == 200
        assert all(model["fastapi"]["base_url"] for model in answer.json()["data"])


def test_the_refusal_is_in_the_dialect_of_who_asks(stack: Stack) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    with _client_of(stack, "user") as client:
        answer = client.post("/v1/models", json={"is_fastapi": True}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["type"] == "permission_error"
    assert answer.json()["type"] == "error"
    assert answer.headers["request-id"] == answer.json()["request_id"]


def _client_of(stack: Stack, role: str) -> httpx.Client:
    key = f"llm-{role:0>64}"
    keys = [{"name": role, "key": key}]
    stack.apply({"users": [{"email": f"{role}@example.com", "role": role, "keys": keys}]})
    return stack.http(key)


@pytest.mark.parametrize("headers", [{}, _bearer("llm-unknown")], ids=["no key", "unknown key"])
@pytest.mark.parametrize("route", PUBLIC, ids=" ".join)
def test_a_public_route_asks_for_no_key(
    stack: Stack, route: tuple[str, str], headers: Mapping[str, str | bytes]
) -> None:
    assert _ask(stack, route, headers).status_code == 200
