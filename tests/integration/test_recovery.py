"""Redis forgets: what it knew comes back from the processes, their journals and the ledger."""

import shutil
import threading
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from gateway import admission
from gateway.cache import keys
from tests.faults.accounts import settle_down
from tests.servers.redis import RedisServer
from tests.stack import Stack

GATE = "held"
TOKENS = 10
PROMPT = [{"role": "user", "content": "hello"}]
MODELS = {
    "chat": {"upstream": "sim-chat-n10", "prices": {"input": "0", "output": "10"}},
    "held": {"upstream": f"sim-chat-n10-gate{GATE}.5", "prices": {"input": "0", "output": "10"}},
}
CHARGE = 100_000
LIMIT = 10**9


@pytest.fixture
def stack(sqlite_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    with Stack.start(
        sqlite_url, redis_server, state_dir, apis=3, models=MODELS, limit_usd="1"
    ) as running:
        yield running


def call(stack: Stack, api: int = 0) -> int:
    with stack.http(api=api) as client:
        body = {"model": "chat", "messages": PROMPT, "max_tokens": TOKENS}
        return client.post("/v1/chat/completions", json=body).status_code


class OpenStream:
    """A stream that has begun and stands at the simulator's gate."""

    def __init__(self, stack: Stack, api: int, exits: ExitStack) -> None:
        body = {"model": "held", "messages": PROMPT, "max_tokens": TOKENS, "stream": True}
        client = exits.enter_context(stack.http(api=api))
        self._response = exits.enter_context(
            client.stream("POST", "/v1/chat/completions", json=body)
        )
        assert self._response.status_code == 200
        self._lines = self._response.iter_lines()
        assert next(self._lines)

    def read_on(self) -> bool:
        """Whether it comes to its proper end."""
        try:
            return "data: [DONE]" in list(self._lines)
        except httpx.HTTPError:
            return False


def epoch_of(stack: Stack) -> bytes:
    with stack.redis.client() as client:
        found = client.get(keys.EPOCH)
        return found if isinstance(found, bytes) and not client.exists(keys.RECOVERY) else b""


def wait_rebuilt(stack: Stack, old: bytes) -> None:
    """Until there is another epoch; calls to all processes bring it about."""

    def is_rebuilt() -> bool:
        served = [call(stack, api) for api in range(len(stack.apis))]
        return set(served) == {200} and epoch_of(stack) not in (b"", old)

    stack.wait_for(is_rebuilt, 30)


def test_open_streams_of_all_processes_keep_their_holds_when_redis_is_emptied(
    stack: Stack,
) -> None:
    for _ in range(4):
        with ExitStack() as exits:
            streams = [OpenStream(stack, api, exits) for api in (0, 1, 2)]
            stack.wait_for(lambda: stack.open_holds() == 3)
            old = epoch_of(stack)
            stack.redis.flushall()
            wait_rebuilt(stack, old)
            assert call(stack) == 200
            stack.wait_for(lambda: stack.drain() >= 0 and stack.open_holds() == 3)
            stack.wait_for(lambda: all_but_the_holds_is_available(stack, 3))
            stack.simulator.open_gate(GATE)
            assert all(stream.read_on() for stream in streams)
            stack.simulator.close_gate(GATE)
        settle_down(stack)
        assert stack.user().used_nanos == len(stack.requests()) * CHARGE
        assert not [entry for entry in stack.entries() if entry.kind != "charge"]
        assert stack.differences() == []


def all_but_the_holds_is_available(stack: Stack, count: int) -> bool:
    stack.drain()
    return stack.available_nanos() == LIMIT - stack.user().used_nanos - count * CHARGE


def test_what_the_append_only_file_lost_comes_back_from_the_journals(stack: Stack) -> None:
    """A restart that nobody saw: the epoch is still there, the last seconds are not."""
    with ExitStack() as exits:
        assert call(stack) == 200
        stream = OpenStream(stack, 1, exits)
        stack.apis[1].kill()  # its hold stays behind, for the sweeper
        assert not stream.read_on()
    old = epoch_of(stack)
    folder = stack.redis.folder / "data"
    with stack.redis.client() as client:
        client.bgrewriteaof()
        stack.wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    shutil.copytree(folder, stack.redis.folder / "copy")
    assert [call(stack, api) for api in (0, 2, 0)] == [200] * 3
    stack.redis.kill()
    shutil.rmtree(folder)
    shutil.move(stack.redis.folder / "copy", folder)
    stack.redis.start()
    stack.apis.pop(1)
    with stack.redis.client() as client:
        stack.wait_for(lambda: bool(admission.sweep(client)) or epoch_of(stack) != old)
    stack.drain()  # the watermark has passed what was lost
    wait_rebuilt(stack, old)
    settle_down(stack)
    finals = [entry for entry in stack.entries() if entry.kind == "charge"]
    served = sum(record.status == "succeeded" for record in stack.requests())
    assert len(finals) == served >= 4 + 2
    assert stack.user().used_nanos == served * CHARGE
    assert stack.differences() == []


def test_nobody_admits_in_a_redis_that_was_restarted_unseen(stack: Stack) -> None:
    assert [call(stack, api) for api in range(3)] == [200] * 3
    old = epoch_of(stack)
    stack.redis.kill()
    stack.redis.start()
    for api in range(3):
        assert call(stack, api) == 503 or epoch_of(stack) != old
    wait_rebuilt(stack, old)


def test_a_rebuilding_whose_leader_died_is_taken_over(stack: Stack) -> None:
    old = epoch_of(stack)
    with stack.redis.client() as client:
        client.set(keys.RECOVERY_LEASE, "a dead process", px=1_500)
        client.set(keys.RECOVERY, "half built")
        client.delete(keys.EPOCH)
    assert [call(stack, api) for api in range(3)] == [503] * 3
    wait_rebuilt(stack, old)
    settle_down(stack)
    assert stack.differences() == []


def test_a_process_that_slept_through_a_rebuilding_brings_its_holds_afterwards(
    stack: Stack,
) -> None:
    with ExitStack() as exits:
        stream = OpenStream(stack, 2, exits)
        sleeper = stack.apis.pop()
        sleeper.pause()
        old = epoch_of(stack)
        stack.redis.flushall()
        wait_rebuilt(stack, old)
        sleeper.resume()
        stack.apis.append(sleeper)
        stack.wait_for(lambda: stack.open_holds() == 1)
        stack.simulator.open_gate(GATE)
        assert stream.read_on()
    settle_down(stack)
    assert not [entry for entry in stack.entries() if entry.kind != "charge"]
    assert stack.differences() == []


def test_calls_that_come_while_redis_is_away_are_refused_at_once(stack: Stack) -> None:
    assert call(stack) == 200
    stack.redis.pause()
    try:
        answers: list[int] = []
        asking = [threading.Thread(target=lambda: answers.append(call(stack))) for _ in range(20)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert answers == [503] * 20
    finally:
        stack.redis.resume()
    stack.wait_for(lambda: call(stack) == 200)


def test_calls_of_a_dead_process_are_recorded_though_redis_was_restarted(stack: Stack) -> None:
    with ExitStack() as exits:
        stream = OpenStream(stack, 0, exits)
        stack.wait_for(lambda: stack.open_holds() == 1)
        with stack.redis.client() as client:
            client.bgrewriteaof()  # what is written by now survives the kill
            stack.wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
        stack.apis[0].kill()
        assert not stream.read_on()
        stack.redis.kill()
        stack.redis.start()
        stack.wait_for(lambda: call(stack, 1) == 200)
        settle_down(stack)
    statuses = sorted(record.status for record in stack.requests())
    assert statuses == ["abandoned", "succeeded"]
    assert stack.charged_nanos() == CHARGE
    assert stack.differences() == []
