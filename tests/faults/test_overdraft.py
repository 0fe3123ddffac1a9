"""Allowances are never overdrawn, however many clients call at once and however they leave."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models import User
from tests.faults.accounts import settle_down
from tests.faults.clients import GONE, LEAVE, PLAIN, STREAM, Outcome
from tests.faults.load import Load
from tests.servers.redis import RedisServer
from tests.stack import Stack

CHARGE = 100_000  # nanos: ten tokens of output
SERVED = 10
LEVELS = ("user", "app", "key")
MODELS = {
    "ten": {"upstream": "sim-chat-n10", "prices": {"input": "0", "output": "10"}},
    "slow": {"upstream": "sim-chat-n10-d20", "prices": {"input": "0", "output": "10"}},
}
# What ten calls cost, and a little that buys nothing.
LIMIT = "0.00109"


def key_of(level: str) -> str:
    return f"sk-limited-{level}-0123456789abcdef"


def payer(level: str) -> dict[str, Any]:
    """A user of whose three allowances one is limited."""
    limits = {name: LIMIT if name == level else None for name in LEVELS}
    key = {"name": "key", "key": key_of(level), "app": "app", "limit_usd": limits["key"]}
    return {
        "email": f"{level}@example.com",
        "limit_usd": limits["user"],
        "apps": [{"name": "app", "limit_usd": limits["app"]}],
        "keys": [key],
    }


@pytest.fixture
def stack(database_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(database_url, redis_server, state_dir, apis=2, models=MODELS) as running:
        running.apply({"users": [payer(level) for level in LEVELS]})
        yield running


class Sampler:
    """Watches all allowances while calls run."""

    def __init__(self) -> None:
        self.lowest = 0
        self.samples = 0

    @contextmanager
    def watch(self, redis: RedisServer) -> Generator[None]:
        is_over = threading.Event()
        watcher = threading.Thread(target=self._sample, args=(redis, is_over))
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def _sample(self, redis: RedisServer, is_over: threading.Event) -> None:
        with redis.client() as client:
            while not is_over.is_set():
                for name in client.scan_iter("sluice:1:u:*"):
                    values = [int(value) for value in client.hvals(name) if value != b"inf"]
                    self.lowest = min(self.lowest, *values, 0)
                    self.samples += 1


def burst(
    stack: Stack, level: str, calls: int, kinds: tuple[str, ...], max_tokens: int, model: str
) -> list[Outcome]:
    """All calls at once, from four processes to both API processes; nothing is overdrawn."""
    sampler = Sampler()
    load = Load(
        stack,
        model=model,
        kinds=kinds,
        processes=4,
        concurrency=calls // 4,
        calls=calls // 4,
        key=key_of(level),
        max_tokens=max_tokens,
    )
    with sampler.watch(stack.redis), load:
        outcomes = load.wait()
    assert len(outcomes) == calls
    assert sampler.samples
    assert sampler.lowest == 0
    assert not [o for o in outcomes if o.broken or o.status not in (0, 200, 429)]
    return outcomes


def used_nanos(stack: Stack, level: str) -> int:
    with stack.database.snapshot() as session:
        query = select(User.used_nanos).where(User.email == f"{level}@example.com")
        return int(session.scalars(query).one())


def spend_the_rest(stack: Stack, level: str, max_tokens: int) -> int:
    """How many calls are served one after the other, up to the first refusal."""
    served = 0
    with stack.http(key_of(level)) as client:
        messages = [{"role": "user", "content": "rest"}]
        body = {"model": "ten", "messages": messages, "max_tokens": max_tokens}
        while (answer := client.post("/v1/chat/completions", json=body)).status_code == 200:
            served += 1
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "insufficient_quota"
    return served


def test_of_many_calls_at_once_exactly_those_that_are_paid_for_are_served(stack: Stack) -> None:
    for level in LEVELS:
        outcomes = burst(stack, level, 50 * SERVED, (PLAIN, STREAM), 10, "ten")
        served = [outcome for outcome in outcomes if outcome.status == 200]
        assert len(served) == SERVED
        assert all(outcome.is_complete for outcome in served)
        stack.wait_settled(SERVED)
        assert used_nanos(stack, level) == SERVED * CHARGE
        assert spend_the_rest(stack, level, 10) == 0
    settle_down(stack)
    assert stack.differences() == []


def test_what_holds_set_aside_too_much_is_spendable_afterwards(stack: Stack) -> None:
    """Holds of twice the charge: fewer are served at once, the rest one after the other."""
    for level in LEVELS:
        outcomes = burst(stack, level, 50 * SERVED, (PLAIN, STREAM), 20, "ten")
        served = sum(outcome.status == 200 for outcome in outcomes)
        assert SERVED // 2 <= served <= SERVED
        left = SERVED * CHARGE + 90_000 - served * CHARGE
        expected = max(0, left // CHARGE - 1)  # the last one's hold would not fit
        settle_down(stack)
        assert used_nanos(stack, level) == served * CHARGE
        assert spend_the_rest(stack, level, 20) == expected
    settle_down(stack)
    assert stack.differences() == []


def test_clients_that_vanish_neither_overdraw_nor_lose_what_is_left(stack: Stack) -> None:
    for level in LEVELS:
        burst(stack, level, 200, (LEAVE, GONE, STREAM, LEAVE), 10, "slow")
        settle_down(stack)
        left = SERVED * CHARGE + 90_000 - used_nanos(stack, level)
        assert left >= 0
        assert spend_the_rest(stack, level, 10) == left // CHARGE
    settle_down(stack)
    assert stack.differences() == []


PIECES = 1_000
# Nanos, and the number of tokens that they pay for exactly.
EDGES = {
    "beyond-lua": (2**53 + 1, PIECES),
    "hundred-thousand": (100_000 * 10**9, PIECES),
    "most": (9_200_000_000 * 10**9, 10 * PIECES * PIECES),
}


def usd(nanos: int) -> str:
    return f"{nanos // 10**9}.{nanos % 10**9:09}"


def ask(stack: Stack, name: str, max_tokens: int) -> int:
    messages = [{"role": "user", "content": "edge"}]
    body = {"model": name, "messages": messages, "max_tokens": max_tokens}
    with stack.http(key_of(name)) as client:
        return client.post("/v1/chat/completions", json=body).status_code


def test_large_amounts_are_exact_to_the_nano(stack: Stack) -> None:
    """A hold of all there is; with one nano less it is refused."""
    for name, (limit, tokens) in EDGES.items():
        price = {"input": "0", "output": usd(limit * 1_000_000 // tokens)}
        stack.add_model(name, upstream=f"sim-chat-n{PIECES}", prices=price)
        key = {"name": "key", "key": key_of(name)}
        user = {"email": f"{name}@example.com", "keys": [key]}
        stack.apply({"users": [{**user, "limit_usd": usd(limit - 1)}]})
        assert ask(stack, name, tokens) == 429
        stack.apply({"users": [{**user, "limit_usd": usd(limit)}]})
        assert ask(stack, name, tokens) == 200
        settle_down(stack)
        assert used_nanos(stack, name) == limit * PIECES // tokens
        assert ask(stack, name, tokens) == 429
    assert stack.differences() == []


def test_a_request_for_more_than_can_be_counted_harms_nobody(stack: Stack) -> None:
    messages = [{"role": "user", "content": "much"}]
    body = {"model": "ten", "messages": messages, "max_tokens": 10**18}
    with stack.http() as client:
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 400
        assert (
            client.post("/v1/chat/completions", json={**body, "max_tokens": 5}).status_code == 200
        )
