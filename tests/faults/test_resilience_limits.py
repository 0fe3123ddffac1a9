"""Upstreams that limit us, and keys that they refuse."""

import threading
import time
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.faults.heard import Answer
from tests.faults.resilience import DIALECTS, FORMS, PAIRS, Scene, Up, assert_sound, pair
from tests.stack import Stack
from tests.stack.of_module import stack_of_module


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running
        assert_sound(running)


def pauses(scene: Scene, place: int = 0) -> list[float]:
    """Between the requests to one upstream."""
    times = [entry["started"] for entry in scene.asked(place)]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_another_key_takes_over_from_a_limited_one_at_once(
    stack: Stack, dialect: str, protocol: str, *, stream: bool
) -> None:
    scene = Scene(stack, Up("n5-e429x1-ra2", protocol, keys=2), other=Up("n7", protocol))
    answer = scene.ask(dialect, stream=stream)
    books = scene.assert_served(answer, 0, [2, 0])
    assert books.outcomes == ["upstream_rate_limited", "ok"]
    assert answer.seconds < 0.5
    assert [entry["key"] for entry in scene.asked(0)] == [scene.secret(0, n) for n in (0, 1)]
    # Meanwhile nobody asks with the limited key.
    for _ in range(3):
        assert scene.ask(dialect, stream=stream).status == 200
    assert {entry["key"] for entry in scene.asked(0)[1:]} == {scene.secret(0, 1)}


def test_another_backend_takes_over_from_a_limited_one_at_once(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429-ra1"), Up("n6"), other=Up("n7"))
    answer = scene.ask()
    scene.assert_served(answer, 1, [1, 1, 0])
    assert answer.seconds < 0.5


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_fallback_model_the_same_backend_is_waited_for(
    stack: Stack, *, stream: bool
) -> None:
    scene = Scene(stack, Up("n5-e429x1-ra1"), other=Up("n7"))
    answer = scene.ask(stream=stream)
    scene.assert_served(answer, 0, [2, 0])
    (pause,) = pauses(scene)
    assert 1 <= pause < 1.4


def test_who_is_limited_again_is_left_for_the_fallback_model(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429-ra1"), other=Up("n7"))
    answer = scene.ask()
    books = scene.assert_served(answer, 1, [2, 1])
    assert books.outcomes == ["upstream_rate_limited", "upstream_rate_limited", "ok"]
    assert all(pause >= 1 for pause in pauses(scene))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_long_wait_is_left_to_others(stack: Stack, dialect: str) -> None:
    scene = Scene(stack, Up("n5-e429-ra4"), other=Up("n7"))
    answer = scene.ask(dialect)
    scene.assert_served(answer, 1, [1, 1])
    assert answer.seconds < 0.5


def test_with_nobody_else_a_limit_is_the_callers_to_know(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429-ra9"))
    answer = scene.ask()
    scene.assert_free(answer, 429, "upstream_rate_limited")
    assert 8 <= float(answer.headers["retry-after"]) <= 9
    assert "org-" not in answer.error().message
    again = scene.ask()
    assert (again.status, scene.counts()) == (503, [1])
    assert 1 <= float(again.headers["retry-after"]) <= 9


def ask_at_once(scene: Scene, calls: int, **options: Any) -> list[Answer]:  # noqa: ANN401
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(scene.ask(**options))) for _ in range(calls)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.15)
    for thread in threads:
        thread.join()
    return answers


def test_no_other_call_asks_with_a_limited_key_before_its_time(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429x1-ra1"), other=Up("n7"))
    answers = ask_at_once(scene, 5)
    assert {answer.status for answer in answers} == {200}
    first, second, *_ = scene.asked(0)
    assert first["status"] == 429
    assert second["started"] - first["started"] >= 1


def test_keys_that_others_found_limited_are_waited_for(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429x2-ra1", keys=2))
    assert [answer.status for answer in ask_at_once(scene, 1)] == [200]
    requests = scene.asked(0)
    assert [request["status"] for request in requests] == [429, 429, 200]
    times = [request["started"] for request in requests if request["key"] == requests[-1]["key"]]
    assert all(after - before >= 1 for before, after in pairwise(times))


@pytest.mark.parametrize("form", FORMS)
def test_limits_without_a_time_are_met_with_growing_pauses(stack: Stack, form: str) -> None:
    scene = pair(stack, form, Up("n5-e429"), Up("n7"))
    answer = scene.ask()
    times = 2 if form == "model" else 1
    scene.assert_served(answer, 1, [times, 1])
    assert all(0.5 <= pause <= 0.8 for pause in pauses(scene))


def test_pauses_double_and_end(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e429"))
    answer = scene.ask()
    scene.assert_free(answer, 429, "upstream_rate_limited")
    first, second = pauses(scene)
    assert 0.5 <= first <= 0.85
    assert 1 <= second <= 1.6
    assert answer.seconds < 3


def test_pauses_are_not_all_alike(stack: Stack) -> None:
    scenes = [Scene(stack, Up("n5-e429x1"), other=Up("n7")) for _ in range(4)]
    threads = [threading.Thread(target=scene.ask) for scene in scenes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [pause for scene in scenes for pause in pauses(scene)]
    assert len(found) == 4
    assert max(found) - min(found) > 0.005


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refused_key_is_replaced_by_the_next_and_left_alone(
    stack: Stack, dialect: str, status: int
) -> None:
    scene = Scene(stack, Up(f"n5-e{status}x1", keys=2), Up("n7"))
    books = scene.assert_served(scene.ask(dialect), 0, [2, 0])
    assert [attempt.http_status for attempt in books.attempts] == [status, 200]
    for _ in range(3):
        assert scene.ask(dialect).told().text == scene.text(0)
    assert [entry["key"] for entry in scene.asked(0)[1:]] == [scene.secret(0, 1)] * 4


def test_of_one_backend_the_next_key_is_used(stack: Stack) -> None:
    scene = Scene(stack, Up("n5", keys=2), other=Up("n7"))
    stack.simulator.revoke(scene.secret(0, 0))
    scene.assert_served(scene.ask(), 0, [2, 0])
    scene.ask()
    assert [entry["key"] for entry in scene.asked(0)] == [scene.secret(0, n) for n in (0, 1, 1)]


@pytest.mark.parametrize("faults", ["e401", "e403", "e402", "quota"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_caller_is_never_told_that_his_key_is_wrong(
    stack: Stack, dialect: str, faults: str
) -> None:
    protocol = "openai" if faults == "quota" else dialect
    scene = Scene(stack, Up(f"n5-{faults}", protocol, keys=2))
    answer = scene.ask(dialect)
    scene.assert_free(answer, 502, "upstream_error")
    assert scene.counts() == [2]
    assert {entry["key"] for entry in scene.asked(0)} == {scene.secret(0, n) for n in (0, 1)}
    assert "key" not in answer.error().message.lower()
    assert "quota" not in answer.error().message.lower()
