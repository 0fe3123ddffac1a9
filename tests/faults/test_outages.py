"""Something breaks under load: clients wait or go on, nothing is lost, nothing charged twice."""

import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import faults
from tests.faults.accounts import check_answers, check_money, check_sound
from tests.faults.clients import GONE, LEAVE, PLAIN, STREAM, Outcome
from tests.faults.faults import Fault, World
from tests.faults.load import Load
from tests.servers.redis import RedisServer
from tests.stack import Stack

KINDS = (PLAIN, STREAM, PLAIN, STREAM, PLAIN, LEAVE, PLAIN, GONE)
MODELS = {"chat": {"upstream": "sim-chat-n10-d10"}}
SEED = 20_251
ENOUGH_BEFORE = 60
ENOUGH_AFTER = 60


@contextmanager
def running(url: str, redis: RedisServer, state_dir: Path, *, worker: bool) -> Generator[Stack]:
    options = {"SLUICE_DATABASE__STATEMENT_TIMEOUT_SECONDS": "3"}
    with Stack.start(
        url, redis, state_dir, apis=2, worker=worker, models=MODELS, environment=options
    ) as stack:
        yield stack


def break_under_load(stack: Stack, order: Sequence[Fault], seed: int) -> list[Outcome]:
    """One fault after the other while clients call; everybody's money is right afterwards."""
    with Load(stack, kinds=KINDS) as load:
        world = World(stack, load, seed)
        stack.wait_for(lambda: len(load.outcomes()) > ENOUGH_BEFORE)
        for fault in order:
            fault(world)
            world.wait_served()
            served = count_served(load)
            stack.wait_for(lambda: count_served(load) > served + ENOUGH_AFTER, 30)  # noqa: B023
        outcomes = load.stop()
    check_answers(outcomes, world.broken)
    check_sound(stack)
    check_money(stack, outcomes)
    return outcomes


def count_served(load: Load) -> int:
    return sum(outcome.is_complete for outcome in load.outcomes())


@pytest.mark.parametrize("fault", faults.SQLITE[:-2] + faults.SQLITE[-1:])
def test_nothing_is_lost_on_sqlite(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path, fault: Fault
) -> None:
    with running(sqlite_url, redis_server, state_dir, worker=False) as stack:
        break_under_load(stack, [fault], SEED)


def test_nothing_is_lost_on_postgres_whatever_breaks(
    postgres_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    order = [faults.database_stopped, faults.worker_killed, faults.redis_killed, faults.api_killed]
    random.Random(SEED).shuffle(order)  # noqa: S311
    with running(postgres_url, redis_server, state_dir, worker=True) as stack:
        break_under_load(stack, order, SEED)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_nothing_is_lost_whatever_breaks_in_whatever_order(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    state_dir: Path,
    engine: str,
    seed: int,
) -> None:
    order = list(faults.POSTGRES if engine == "postgres" else faults.SQLITE)
    random.Random(seed).shuffle(order)  # noqa: S311
    url: str = request.getfixturevalue(f"{engine}_url")
    with running(url, redis_server, state_dir, worker=True) as stack:
        break_under_load(stack, order, seed)
