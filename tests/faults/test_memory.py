"""Many calls and many clients that leave: nothing stays behind in the process."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.faults.accounts import journalled, settle_down
from tests.faults.clients import LEAVE, PLAIN
from tests.faults.load import Load
from tests.servers.redis import RedisServer
from tests.stack import Stack

WARM_UP_CALLS = 6_000
CALLS = 20_000
LEFT_STREAMS = 1_000
GROWTH_KIB = 6 * 1024
MODELS = {
    "chat": {"upstream": "sim-chat-n3"},
    "long": {"upstream": "sim-chat-n200-d5"},
}


@pytest.fixture
def stack(postgres_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(
        postgres_url, redis_server, state_dir, models=MODELS, limit_usd="100000"
    ) as running:
        yield running


def make(stack: Stack, calls: int, kind: str, model: str) -> None:
    load = Load(stack, model=model, kinds=[kind], processes=2, concurrency=16, calls=calls // 2)
    with load:
        outcomes = load.wait(timeout_seconds=110)
    assert len(outcomes) == calls
    assert {outcome.status for outcome in outcomes} == {200}


@pytest.mark.timeout(240)
def test_memory_stays_flat_over_many_calls_and_clients_that_leave(stack: Stack) -> None:
    api = stack.apis[0]
    make(stack, WARM_UP_CALLS, PLAIN, "chat")
    make(stack, 300, LEAVE, "long")
    settle_down(stack)
    before = api.rss_kib()
    make(stack, CALLS, PLAIN, "chat")
    make(stack, LEFT_STREAMS, LEAVE, "long")
    settle_down(stack)
    growth = api.rss_kib() - before
    assert growth < GROWTH_KIB, f"{before} KiB grew by {growth} KiB"
    assert stack.open_holds() == 0
    assert not journalled(stack)
    assert stack.simulator.summary()["total"]["in_flight"] == 0
    assert len(stack.requests()) == WARM_UP_CALLS + 300 + CALLS + LEFT_STREAMS
    assert stack.differences() == []
