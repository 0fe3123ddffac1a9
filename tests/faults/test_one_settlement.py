"""One final entry per call, whoever settles it, how often and how late."""

import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gateway import admission
from gateway.supervisor.child import die_with_parent
from tests.faults.accounts import journalled, settle_down
from tests.servers.redis import RedisServer
from tests.stack import Stack
from tests.stack.processes import ROOT

PROCESSES = 8
TIMES = 100
GATE = "sweep"
MODELS = {
    "chat": {},
    "waiting": {"upstream": f"sim-chat-n10-gate{GATE}"},
    "streaming": {"upstream": f"sim-chat-n10-gate{GATE}.3"},
}
BODY = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def stack(database_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(database_url, redis_server, state_dir, models=MODELS) as running:
        yield running


def post(stack: Stack, model: str, *, stream: bool = False) -> httpx.Response:
    with stack.http() as client:
        return client.post("/v1/chat/completions", json={**BODY, "model": model, "stream": stream})


def test_a_journal_that_is_replayed_by_many_processes_is_charged_once(stack: Stack) -> None:
    stack.drain()
    assert post(stack, "chat").status_code == 200
    [line] = read_journal(stack)
    replaying = [start_replay(stack, number, line * TIMES) for number in range(PROCESSES)]
    stack.wait_for(lambda: drained(stack) and all(p.poll() is not None for p in replaying))
    assert [process.returncode for process in replaying] == [0] * PROCESSES
    settle_down(stack)
    [entry] = stack.entries()
    [record] = stack.requests()
    assert entry.slot == "final"
    assert stack.user().used_nanos == entry.amount_nanos == record.charge_nanos > 0
    assert stack.differences() == []


def read_journal(stack: Stack) -> list[bytes]:
    files = (stack.state_dir / "journal").glob("*.journal")
    return [line for file in files for line in file.read_bytes().splitlines(keepends=True)]


def start_replay(stack: Stack, number: int, lines: bytes) -> "subprocess.Popen[bytes]":
    """A process that finds the journal of a dead one in its state directory."""
    folder = stack.state_dir / f"replay-{number}"
    folder.mkdir()
    (folder / "dead-000001.journal").write_bytes(lines)
    return subprocess.Popen(
        die_with_parent(
            sys.executable, "-m", "tests.faults.replaying", stack.redis.url, str(folder)
        ),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )


def drained(stack: Stack) -> bool:
    stack.drain()
    return True


@pytest.mark.parametrize(("model", "stream"), [("waiting", False), ("streaming", True)])
def test_a_call_that_was_given_up_for_dead_is_corrected_when_it_settles(
    stack: Stack, model: str, *, stream: bool
) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, stack, model, stream=stream)
        stack.simulator.gate(GATE, waiting=1)
        stack.apis[0].pause()
        try:
            stack.wait_for(lambda: swept(stack) == 1)
            stack.wait_settled(1)
        finally:
            stack.apis[0].resume()
        assert [entry.kind for entry in stack.entries()] == ["abandoned"]
        stack.simulator.open_gate(GATE)
        assert answer.result().status_code == 200
    stack.wait_for(lambda: stack.drain() >= 0 and len(stack.entries()) == 2)
    settle_down(stack)
    abandoned, adjustment = sorted(stack.entries(), key=lambda entry: entry.kind)
    [record] = stack.requests()
    assert (abandoned.slot, adjustment.slot) == ("final", "adjustment")
    assert abandoned.amount_nanos == 0
    assert adjustment.amount_nanos == record.charge_nanos == stack.user().used_nanos > 0
    assert record.status == "succeeded"
    assert stack.differences() == []
    assert not journalled(stack)


def swept(stack: Stack) -> int:
    with stack.redis.client() as client:
        return admission.sweep(client)
