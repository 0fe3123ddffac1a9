"""What an operator changes in another process counts from the very next call on, everywhere."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import db
from tests.servers.redis import RedisServer
from tests.stack import Stack
from tests.stack.processes import ROOT
from tests.stack.stack import EMAIL, model_of

SLUICE = Path(sys.executable).with_name("sluice")
MESSAGES = [{"role": "user", "content": "hello"}]
APIS = 2


@pytest.fixture
def stack(database_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(database_url, redis_server, state_dir, apis=APIS) as running:
        for api in range(APIS):
            assert call(running, api).status_code == 200
        yield running


def sluice(stack: Stack, *arguments: str) -> None:
    """The command line of the product, in a process of its own."""
    done = subprocess.run(
        [str(SLUICE), *arguments],
        cwd=ROOT,
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr


def sluice_import(stack: Stack, document: Mapping[str, Any]) -> None:
    file = stack.state_dir / "changes.json"
    file.write_text(json.dumps(document))
    sluice(stack, "import", str(file))


def call(stack: Stack, api: int, model: str = "chat", **fields: object) -> httpx.Response:
    with stack.http(api=api) as client:
        body = {"model": model, "messages": MESSAGES, **fields}
        return client.post("/v1/chat/completions", json=body)


def statuses(stack: Stack, model: str = "chat", **fields: object) -> list[int]:
    """One call to every API process."""
    return [call(stack, api, model, **fields).status_code for api in range(APIS)]


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


def test_a_caller_that_is_changed_is_another_one_from_the_next_call_on(stack: Stack) -> None:
    sluice(stack, "keys", "revoke", stack.api_key().id)
    assert statuses(stack) == [401, 401]
    sluice(stack, "keys", "enable", stack.api_key().id)
    assert statuses(stack) == [200, 200]
    sluice(stack, "users", "disable", EMAIL)
    assert statuses(stack) == [401, 401]
    sluice(stack, "users", "enable", EMAIL)
    assert statuses(stack) == [200, 200]
    sluice(stack, "users", "limit", EMAIL, "0.0001")
    for api in range(APIS):
        answer = call(stack, api, max_tokens=100)
        assert (answer.status_code, code_of(answer)) == (429, "insufficient_quota")
    sluice(stack, "users", "limit", EMAIL, "unlimited")
    assert statuses(stack, max_tokens=100) == [200, 200]
    sluice(stack, "users", "limit", EMAIL, "5")
    assert statuses(stack, max_tokens=100) == [200, 200]
    stack.wait_settled(10)
    assert stack.available_nanos() == 5 * 10**9 - stack.user().used_nanos


def test_what_is_sold_changes_from_the_next_call_on(stack: Stack) -> None:
    sluice(stack, "models", "price", "chat", "input=0", "output=123")
    for api in range(APIS):
        answer = call(stack, api)
        tokens = answer.json()["usage"]["completion_tokens"]
        assert Decimal(answer.headers["x-sluice-cost-usd"]) == Decimal(tokens * 123) / 1_000_000
    assert statuses(stack, "new") == [404, 404]
    sluice_import(stack, {"models": [model_of("new", {})]})
    assert statuses(stack, "new") == [200, 200]
    sluice(stack, "models", "disable", "new")
    assert statuses(stack, "new") == [404, 404]


def test_a_changed_policy_and_another_one_count_from_the_next_call_on(stack: Stack) -> None:
    sluice_import(stack, {"policies": [{"name": "default", "models": ["embed"]}]})
    for api in range(APIS):
        answer = call(stack, api)
        assert (answer.status_code, code_of(answer)) == (403, "model_not_allowed")
    other = {"name": "other", "models": ["*"]}
    sluice_import(stack, {"policies": [other], "users": [{"email": EMAIL, "policy": "other"}]})
    assert statuses(stack) == [200, 200]
    # One call per minute, whichever process it comes to.
    sluice_import(stack, {"policies": [{**other, "rate_limit": 1}]})
    assert statuses(stack) == [200, 429]


def test_a_change_whose_announcement_was_lost_is_found_by_the_poll(stack: Stack) -> None:
    db.withdraw(stack._announce)
    try:
        key = {"name": "key", "enabled": False}
        stack.apply({"users": [{"email": EMAIL, "keys": [key]}]})
        stack.wait_for(lambda: statuses(stack) == [401, 401], 5)
        stack.apply({"users": [{"email": EMAIL, "keys": [{**key, "enabled": True}]}]})
        stack.wait_for(lambda: statuses(stack) == [200, 200], 5)
        stack.apply({"users": [{"email": EMAIL, "limit_usd": "0"}]})
        stack.wait_for(lambda: statuses(stack) == [429, 429], 5)
        stack.add_model("new")
        stack.wait_for(lambda: statuses(stack, "new") == [429, 429], 5)
    finally:
        db.announce(stack._announce)


def test_a_change_during_an_outage_of_redis_counts_as_soon_as_it_is_back(stack: Stack) -> None:
    stack.redis.pause()
    try:
        stack.wait_for(lambda: statuses(stack) == [503, 503])
        sluice(stack, "keys", "revoke", stack.api_key().id)
        assert statuses(stack) == [503, 503]
    finally:
        stack.redis.resume()
    stack.wait_for(lambda: 503 not in statuses(stack))
    stack.wait_for(lambda: statuses(stack) == [401, 401], 5)
