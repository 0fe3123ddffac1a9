"""A settlement that is written down is not lost, whatever is away and whoever dies."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway.cache import keys
from tests.faults.accounts import journalled, settle_down
from tests.integration.test_recovery import CHARGE, GATE, LIMIT, MODELS, OpenStream, call
from tests.servers.redis import RedisServer
from tests.stack import Stack


@pytest.fixture
def place(sqlite_url: str, redis_server: RedisServer, state_dir: Path) -> "Place":
    return Place(sqlite_url, redis_server, state_dir)


class Place:
    def __init__(self, url: str, redis: RedisServer, state_dir: Path) -> None:
        self._where = (url, redis, state_dir)

    @contextmanager
    def stack(self, environment: Mapping[str, str] | None = None) -> Generator[Stack]:
        with Stack.start(
            *self._where, models=MODELS, limit_usd="1", environment=environment
        ) as running:
            yield running


def stream_length(stack: Stack) -> int:
    with stack.redis.client() as client:
        return int(client.xlen(keys.STREAM))


def test_what_only_the_journal_of_a_dead_process_knows_is_charged(place: Place) -> None:
    with place.stack() as stack, ExitStack() as exits:
        stream = OpenStream(stack, 0, exits)
        stack.redis.pause()
        stack.simulator.open_gate(GATE)
        assert stream.read_on()
        stack.apis.pop().kill()
        stack.redis.resume()
        assert stack.entries() == []
        stack.add_api()
        settle_down(stack)
        assert len(stack.requests()) == 1
        # On a slow machine the sweeper comes first, and is corrected.
        assert stack.charged_nanos() == stack.user().used_nanos == CHARGE
        assert stack.differences() == []


def test_beyond_the_bound_of_the_stream_the_journal_alone_keeps_what_is_charged(
    place: Place,
) -> None:
    with place.stack({"SLUICE_ADMISSION__MAX_BACKLOG": "5"}) as stack:
        assert [call(stack) for _ in range(20)] == [200] * 20
        stack.wait_for(lambda: stack.available_nanos() == LIMIT - 20 * CHARGE)
        assert stream_length(stack) == 5
        settle_down(stack)
        assert stack.user().used_nanos == 20 * CHARGE
        assert {entry.kind for entry in stack.entries()} == {"charge"}
        assert stack.differences() == []


def test_beyond_its_bound_on_disk_calls_are_refused_until_it_is_drained(place: Place) -> None:
    with place.stack({"SLUICE_JOURNAL__MAX_BYTES": "3000"}) as stack:
        answers = [call(stack) for _ in range(20)]
        served = answers.count(200)
        assert answers == [200] * served + [503] * (20 - served)
        assert 0 < served < 20
        settle_down(stack)
        assert not journalled(stack)
        assert call(stack) == 200
        settle_down(stack)
        assert stack.user().used_nanos == (served + 1) * CHARGE


def test_a_stopped_process_leaves_nothing_that_the_next_does_not_finish(place: Place) -> None:
    with place.stack() as stack:
        assert [call(stack) for _ in range(3)] == [200] * 3
        stack.apis.pop().stop()
        assert journalled(stack)
        stack.add_api()
        settle_down(stack)
        assert stack.user().used_nanos == 3 * CHARGE
        assert stack.differences() == []
