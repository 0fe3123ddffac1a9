"""The gate against a real Redis: batches, time-outs, cancelled callers, a Redis that leaves."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from gateway.admission import Gate, GateClosedError, Meter
from gateway.admission.operations import Admit, Choice, Load, Operation, Settle
from gateway.cache import connect_async, keys
from tests.servers.redis import RedisServer

USER = "018f0000-0000-7000-8000-000000000001"


async def join(gate: Gate) -> bytes:
    epoch = f"test@{gate.run_id}".encode()
    await gate.redis.set(keys.EPOCH, epoch)
    return epoch


@pytest.fixture
async def gate(redis_server: RedisServer) -> AsyncGenerator[Gate]:
    opened = Gate(connect_async(redis_server.url, 0.25), 0.25, join)
    await opened.open()
    yield opened
    await opened.close()


def admit(number: int, amount: str = "1") -> Admit:
    return Admit(
        reference=f"req_{number}",
        user=USER,
        user_revision=0,
        policy="p",
        policy_revision=0,
        catalog_revision=0,
        app="",
        key="k",
        amount=amount,
        meters=(),
        candidates=(Choice("l", "b", "c", 0, 1),),
        least_busy=False,
        lease_ms=60_000,
        info="{}",
    )


def settle(number: int) -> Settle:
    return Settle(
        reference=f"req_{number}",
        user=USER,
        app="",
        key="k",
        amount="1",
        change="0",
        actual={"r": "1", "t": "0", "n": "1"},
        reports=(),
        event="[]",
        max_backlog=100_000,
    )


async def load(gate: Gate, available: str) -> None:
    await gate.ask(Load(USER, 0, "0-0", {"u": available, "k:k": "inf"}))


async def test_operations_of_many_callers_share_round_trips(
    gate: Gate, redis_server: RedisServer
) -> None:
    await load(gate, "1000")
    with redis_server.client() as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        replies = await asyncio.gather(*(gate.ask(admit(n)) for n in range(500)))
        after = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert [reply[0] for reply in replies] == [b"OK"] * 500
    assert after - before <= 10


async def test_replies_reach_their_own_callers(gate: Gate) -> None:
    await load(gate, "100")
    replies = await asyncio.gather(*(gate.ask(admit(n, "3" if n % 2 else "9")) for n in range(40)))
    granted = [n for n, reply in enumerate(replies) if reply[0] == b"OK"]
    spent = sum(3 if n % 2 else 9 for n in granted)
    assert 0 <= 100 - spent < 3


async def test_cancelled_callers_leave_the_others_their_answers(gate: Gate) -> None:
    await load(gate, "1000")

    async def ask(number: int) -> Any:  # noqa: ANN401
        return await gate.ask(admit(number))

    tasks = [asyncio.create_task(ask(number)) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcome[0] for outcome in outcomes[1::2]] == [b"OK"] * 50  # type: ignore[index]


async def test_a_frozen_redis_refuses_and_comes_back_by_itself(
    gate: Gate, redis_server: RedisServer
) -> None:
    await load(gate, "10")
    redis_server.pause()
    with pytest.raises(GateClosedError):
        await gate.ask(admit(1))
    with pytest.raises(GateClosedError):
        await gate.ask(admit(2))
    redis_server.resume()
    assert (await _ask_until_open(gate, admit(3)))[0] == b"OK"


async def test_what_is_told_while_redis_is_away_fails_and_is_not_kept(
    gate: Gate, redis_server: RedisServer
) -> None:
    redis_server.kill()
    with pytest.raises(GateClosedError):
        await gate.tell(settle(1))
    redis_server.start(empty=True)
    await _ask_until_open(gate, admit(1))


async def test_an_emptied_redis_closes_the_gate_until_it_has_been_joined_again(
    gate: Gate, redis_server: RedisServer
) -> None:
    await load(gate, "10")
    redis_server.flushall()
    reply = await gate.ask(admit(1))
    assert reply[0] == b"EPOCH"
    assert (await _ask_until_open(gate, admit(2)))[0] == b"COLD"


async def _ask_until_open(gate: Gate, operation: Operation) -> Any:  # noqa: ANN401
    async with asyncio.timeout(10):
        while True:
            try:
                return await gate.ask(operation)
            except GateClosedError:
                await asyncio.sleep(0.02)


async def test_whoever_waits_as_long_as_told_is_admitted(gate: Gate) -> None:
    await load(gate, "1000")

    def metered(number: int) -> Admit:
        meter = Meter("w", f"{USER}:rate", "3", "1", 1000, "r")
        return msgspec.structs.replace(admit(number), meters=(meter,))

    replies: list[Any] = [await gate.ask(metered(number)) for number in range(6)]
    refused = next(reply for reply in replies if reply[0] == b"LIMIT")
    assert [reply[0] for reply in replies[:3]] == [b"OK"] * 3
    await asyncio.sleep(int(refused[2]) / 1000 + 0.005)
    later: Any = await gate.ask(metered(7))
    assert later[0] == b"OK"
