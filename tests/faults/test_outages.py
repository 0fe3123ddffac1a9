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
FAULTS = {"sqlite": faults.SQLITE, "postgres": faults.POSTGRES}
SEED = 20_251
# So many of them break whenever all tests are run.
OFTEN = 5
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
    check_answers(outcomes, world.broken, world.paused)
    check_sound(stack)
    check_money(stack, outcomes)
    return outcomes


def count_served(load: Load) -> int:
    return sum(outcome.is_complete for outcome in load.outcomes())


def break_in_turn(
    request: pytest.FixtureRequest, engine: str, order: Sequence[Fault], seed: int
) -> None:
    url: str = request.getfixturevalue(f"{engine}_url")
    redis: RedisServer = request.getfixturevalue("redis_server")
    state_dir: Path = request.getfixturevalue("state_dir")
    with running(url, redis, state_dir, worker=True) as stack:
        break_under_load(stack, order, seed)


def shuffled(engine: str, seed: int) -> list[Fault]:
    order = list(FAULTS[engine])
    random.Random(seed).shuffle(order)  # noqa: S311
    return order


@pytest.mark.parametrize("engine", FAULTS)
def test_nothing_is_lost_whatever_breaks(request: pytest.FixtureRequest, engine: str) -> None:
    break_in_turn(request, engine, shuffled(engine, SEED)[:OFTEN], SEED)


def test_without_the_database_known_keys_are_served_and_unknown_ones_told_to_wait(
    postgres_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    with running(postgres_url, redis_server, state_dir, worker=False) as stack:
        with stack.http() as known, stack.http("sk-never-seen-0123456789") as unknown:
            assert known.post("/v1/chat/completions", json=body).status_code == 200
            with faults.denied(postgres_url):
                for _ in range(5):
                    assert known.post("/v1/chat/completions", json=body).status_code == 200
                    refused = unknown.post("/v1/chat/completions", json=body)
                    assert refused.status_code == 503
                    assert refused.headers["retry-after"]
            stack.wait_for(
                lambda: unknown.post("/v1/chat/completions", json=body).status_code == 401
            )
        stack.wait_settled(6)
        check_sound(stack)


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("engine", "fault"), [(engine, fault) for engine, all_ in FAULTS.items() for fault in all_]
)
def test_nothing_is_lost_when_one_thing_breaks_again_and_again(
    request: pytest.FixtureRequest, engine: str, fault: Fault
) -> None:
    break_in_turn(request, engine, [fault] * 3, SEED)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("engine", FAULTS)
def test_nothing_is_lost_in_whatever_order_things_break(
    request: pytest.FixtureRequest, engine: str, seed: int
) -> None:
    break_in_turn(request, engine, shuffled(engine, seed), seed)
