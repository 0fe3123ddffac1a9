"""The simulator's callbacks to a notifyHook: on each change, or wrong on purpose."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.upstream.asking_midjourney import fetch, imagine, post, wait_for
from tests.upstream.callbacks import CallbackTaker
from tests.upstream.client import Simulator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def hook() -> Iterator[CallbackTaker]:
    with CallbackTaker() as taker:
        yield taker


def wait_for_calls(upstream: Simulator, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 5
    while True:
        calls: list[dict[str, Any]] = upstream.works()[-1]["callbacks"]
        if len(calls) >= count and all(call.get("answer") for call in calls):
            return calls
        assert time.monotonic() < deadline, calls
        time.sleep(0.01)


def wait_for_last_call(upstream: Simulator, state: str) -> None:
    deadline = time.monotonic() + 5
    while wait_for_calls(upstream, 1)[-1]["status"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_callbacks_tell_each_change(upstream: Simulator, hook: CallbackTaker) -> None:
    task_id = imagine(upstream, "a --sim:work1000", notifyHook=hook.url, state="x")
    wait_for(upstream, task_id, "SUCCESS")
    wait_for_last_call(upstream, "SUCCESS")
    assert hook.states[0] == "NOT_START"
    assert hook.states[-1] == "SUCCESS"
    assert {"SUBMITTED", "IN_PROGRESS"} <= set(hook.states)
    assert hook.tasks[-1] == fetch(upstream, task_id)
    assert {call["answer"] for call in upstream.works()[0]["callbacks"]} == {200}


def test_callbacks_come_twice_or_in_a_wrong_order(upstream: Simulator, hook: CallbackTaker) -> None:
    imagine(upstream, "a --sim:work0-hooktwice", notifyHook=hook.url)
    wait_for_calls(upstream, 2)
    assert hook.states == ["SUCCESS"] * 2
    hook.tasks.clear()
    task_id = imagine(upstream, "a --sim:work500-hookmixed", notifyHook=hook.url)
    wait_for(upstream, task_id, "SUCCESS")
    wait_for_last_call(upstream, "NOT_START")
    assert hook.states[0] == "SUCCESS"
    assert hook.states[-1] == "NOT_START"


def test_a_callback_may_come_late_never_or_to_nobody(
    upstream: Simulator, hook: CallbackTaker
) -> None:
    late = imagine(upstream, "a --sim:work0-hooklate", notifyHook=hook.url)
    time.sleep(0.1)
    assert hook.tasks == []
    assert fetch(upstream, late)["status"] == "SUCCESS"
    wait_for_calls(upstream, 1)
    assert hook.states == ["SUCCESS"]
    imagine(upstream, "a --sim:work0-hooknever", notifyHook=hook.url)
    imagine(upstream, "a --sim:work0", notifyHook="http://127.0.0.1:9/nobody")
    assert wait_for_calls(upstream, 1)[0]["answer"] == "ClientConnectorError"
    assert len(hook.tasks) == 1


def test_a_cancelled_task_tells_its_hook(upstream: Simulator, hook: CallbackTaker) -> None:
    task_id = imagine(upstream, "a --sim:stuck", notifyHook=hook.url)
    wait_for_calls(upstream, 1)
    post(upstream, f"task/{task_id}/cancel")
    wait_for_last_call(upstream, "CANCEL")
    assert hook.states[-1] == "CANCEL"
