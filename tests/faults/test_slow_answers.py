"""Upstreams that take too long."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.redis import RedisServer
from tests.stack import Stack

MESSAGES = [{"role": "user", "content": "hello"}]
MODELS: dict[str, dict[str, Any]] = {
    "never": {"upstream": "sim-chat-hang", "limits": {"total_seconds": 0.5}},
    "chat": {"upstream": "sim-chat"},
}


@pytest.fixture
def stack(sqlite_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(sqlite_url, redis_server, state_dir, models=MODELS) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_never_comes_is_given_up_and_costs_nothing(
    stack: Stack, *, stream: bool
) -> None:
    with stack.http() as client:
        body = {"model": "never", "messages": MESSAGES, "stream": stream}
        answer = client.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    stack.wait_settled(1)
    [record] = stack.requests()
    assert (record.status, record.charge_nanos) == ("failed", 0)
    stack.wait_for(lambda: stack.open_holds() == 0)
