"""Breakers and cool-downs as the rest of the gateway meets them: in errors, and over HTTP."""

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.admission import Admission, Choice, Condition, Gate, Report, Shut
from gateway.admission.operations import Load
from gateway.cache import connect_async, keys
from gateway.errors import NoBackendError, RateLimitedError
from tests.integration.admitting import ANYWHERE, KEY, USER, admit_of
from tests.integration.test_admission_scripts import window
from tests.servers.redis import RedisServer
from tests.stack.of_module import stack_of_module
from tests.stack.stack import Stack

BACK_SECONDS = 30
OUTAGE_SECONDS = 8


async def join(gate: Gate) -> bytes:
    epoch = f"test@{gate.run_id}".encode()
    await gate.redis.set(keys.EPOCH, epoch)
    return epoch


@pytest.fixture
async def gate(redis_server: RedisServer) -> AsyncGenerator[Gate]:
    opened = Gate(connect_async(redis_server.url, 0.25), 0.25, join)
    await opened.open()
    await opened.ask(Load(USER, 0, "0-0", {"u": "inf", "a:app": "inf", f"k:{KEY}": "inf"}))
    yield opened
    await opened.close()


@pytest.fixture
def admission(gate: Gate) -> Admission:
    return Admission(gate, database=None)  # type: ignore[arg-type]


async def test_what_is_noted_is_seen_and_tells_how_long_to_wait(admission: Admission) -> None:
    free = Condition(None, None, None, 0)
    assert await admission.look(ANYWHERE) == [free]
    await admission.note((Report("link", "cool", 20_000), Report("backend", "fail", 5_000, 1)))
    [found] = await admission.look(ANYWHERE)
    assert found.link is not None
    assert found.backend is not None
    assert (found.link.by, found.backend.by) == ("cool-down", "breaker")
    assert 19_000 < found.link.left_ms <= 20_000
    assert 4_000 < found.backend.left_ms <= 5_000
    assert found == Condition(
        Shut("cool-down", found.link.left_ms), Shut("breaker", found.backend.left_ms), None, 0
    )
    with pytest.raises(NoBackendError) as refused:
        await admission.admit(admit_of(0), lambda: None)
    assert refused.value.retry_after_seconds is not None
    assert 19 < refused.value.retry_after_seconds <= 20


async def test_full_slots_are_worth_a_second(admission: Admission) -> None:
    narrow = (Choice("link", "backend", "", 1, 1),)
    await admission.admit(admit_of(0, candidates=narrow), lambda: None)
    with pytest.raises(NoBackendError) as refused:
        await admission.admit(admit_of(0, candidates=narrow), lambda: None)
    assert refused.value.retry_after_seconds == 1


async def test_a_refusal_by_a_limit_carries_what_is_left(admission: Admission) -> None:
    meters = [window("rate", 1), window("tpm", 50, 20, "t")]
    await admission.admit(admit_of(0, meters), lambda: None)
    with pytest.raises(RateLimitedError) as refused:
        await admission.admit(admit_of(0, meters), lambda: None)
    left = {unit: row[:2] for unit, row in refused.value.rate_limits.items()}
    assert left == {"r": ("1", "0"), "t": ("50", "30")}


async def test_nothing_is_noted_through_a_closed_gate(admission: Admission, gate: Gate) -> None:
    await gate.close()
    await admission.note((Report("backend", "fail", 5_000, 1),))


def test_a_backend_that_was_down_is_probed_singly_and_has_its_traffic_back(
    sqlite_template: Path,
) -> None:
    links = [
        {"backend": "sim", "upstream_model": "sim-first"},
        {"backend": "spare", "upstream_model": "sim-second", "weight": 0},
    ]
    with stack_of_module(sqlite_template, apis=2) as stack:
        stack.apply(
            {
                "providers": [
                    {
                        "code": "sim",
                        "backends": [{"slug": "spare", "base_url": stack.simulator.openai_url}],
                    }
                ]
            }
        )
        stack.add_model("two", backends=links)
        stack.simulator.fault("e503", "sim-first")
        ask_for(stack, OUTAGE_SECONDS)
        tried = len(stack.simulator.journal(model="sim-first"))
        # Some until the breaker opens, then one per interval.
        assert 5 <= tried <= 12
        stack.simulator.clear_faults()
        ended = time.monotonic()
        stack.simulator.clear_journal()
        while len(stack.simulator.journal(model="sim-first")) < 10:
            assert time.monotonic() - ended < BACK_SECONDS
            ask_for(stack, 0.5)


def ask_for(stack: Stack, seconds: float) -> None:
    """Ask both processes in turn; nobody notices anything."""
    body: dict[str, Any] = {"model": "two", "messages": [{"role": "user", "content": "x"}]}
    end = time.monotonic() + seconds
    with stack.http(api=0) as first, stack.http(api=1) as second:
        while time.monotonic() < end:
            for client in (first, second):
                answer = client.post("/v1/chat/completions", json=body)
                assert answer.status_code == 200, answer.text
            time.sleep(0.05)
