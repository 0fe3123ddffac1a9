"""The official ``openai`` package, unmodified, through a running gateway."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.redis import RedisServer
from tests.stack import Stack

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
UPSTREAMS = {
    "chat": "sim-chat",
    "limited": "sim-chat-e429",
    "broken": "sim-chat-e500",
    "long": "sim-chat-ctx",
    "refusing": "sim-chat-policy",
    "locked": "sim-chat-e401",
    "cut": "sim-chat-n10-k5",
    "garbage": "sim-chat-badjson",
}


@pytest.fixture
def stack(sqlite_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    models = {slug: {"upstream": upstream} for slug, upstream in UPSTREAMS.items()}
    models["embed"] = {"upstream": "sim-embedding", "type": "embedding"}
    with Stack.start(sqlite_url, redis_server, state_dir, models=models) as running:
        yield running


def test_chat_answers_and_is_charged_exactly(stack: Stack) -> None:
    answer = stack.openai().chat.completions.create(model="chat", messages=MESSAGES)
    assert answer.choices[0].message.content
    assert answer.model == "chat"
    assert answer.usage is not None
    stack.wait_settled(1)
    expected = answer.usage.prompt_tokens * 1_000 + answer.usage.completion_tokens * 10_000
    assert stack.charged_nanos() == expected
    assert stack.user().used_nanos == expected
    assert stack.differences() == []
