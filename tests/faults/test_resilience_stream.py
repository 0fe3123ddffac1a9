"""Streams of upstreams that misbehave without breaking the caller's: before, and at the end."""

import time
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from tests.faults.resilience import (
    DIALECTS,
    FORMS,
    PAIRS,
    QUICK_SECONDS,
    Scene,
    Up,
    assert_sound,
    pair,
)
from tests.stack import Stack
from tests.stack.of_module import stack_of_module

# What the first upstream does before its first word, how often it is asked, and the outcome.
FAILURES = [
    ("e500", 2, "upstream_error"),
    ("e503", 1, "upstream_error"),
    ("e529", 1, "upstream_error"),
    ("refuse", 1, "upstream_error"),
    ("hang", 1, "upstream_timeout"),
    ("h5000", 1, "upstream_timeout"),
    ("q1", 1, "upstream_timeout"),
    ("k0", 1, "upstream_interrupted"),
    ("k1", 1, "upstream_interrupted"),
    ("c1", 1, "upstream_interrupted"),
    ("err1", 2, "upstream_error"),
    ("midfinish1", 1, "upstream_interrupted"),
    ("html", 1, "upstream_interrupted"),
    ("empty", 1, "upstream_error"),
]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running
        assert_sound(running)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("faults", "times", "outcome"), FAILURES)
def test_what_fails_before_its_first_word_is_answered_by_the_next(
    stack: Stack, faults: str, times: int, outcome: str, form: str
) -> None:
    scene = pair(stack, form, Up(f"n5-{faults}"), Up("n7"))
    answer = scene.ask(stream=True)
    books = scene.assert_served(answer, 1, [times, 1])
    assert books.outcomes == [outcome] * times + ["ok"]
    assert answer.seconds < 3 * QUICK_SECONDS


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("faults", ["e529", "hang", "k1", "c2"])
def test_every_dialect_is_answered_by_every_protocol(
    stack: Stack, faults: str, dialect: str, protocol: str
) -> None:
    broken = faults if (faults, protocol) != ("c2", "openai") else "c1"
    scene = pair(stack, "model", Up(f"n5-{broken}", protocol), Up("n7", protocol))
    scene.assert_served(scene.ask(dialect, stream=True), 1, [1, 1])


def test_headers_and_silence_are_not_waited_for_one_after_the_other(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-t400-h400"), Up("n7"))
    answer = scene.ask(stream=True)
    scene.assert_served(answer, 1, [1, 1])
    assert answer.seconds < 2 * QUICK_SECONDS


def test_pauses_between_words_are_no_silence(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-d300"), Up("n7"))
    scene.assert_served(scene.ask(stream=True), 0, [1, 0])


def test_when_all_fail_before_a_word_there_is_a_status(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e503"), other=Up("n7-e529"))
    for dialect in DIALECTS:
        scene.assert_free(scene.ask(dialect, stream=True), 502, "upstream_error")
    assert scene.counts() == [2, 4]


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("position", [1, 3, 6])
def test_garbage_is_left_out_of_a_complete_stream(
    stack: Stack, position: int, dialect: str, protocol: str
) -> None:
    scene = Scene(stack, Up(f"n5-j{position}", protocol), Up("n7", protocol))
    answer = scene.ask(dialect, stream=True)
    scene.assert_served(answer, 0, [1, 0])
    assert b"brok" not in answer.raw
    stack.wait_for(lambda: "stream_with_garbage" in stack.apis[0].log.read_text())


# Without its terminator; then what happens instead of the end: nothing, RST, silence.
ENDS = [("openai", faults) for faults in ("nodone", "k8", "c8", "q8")]
ENDS += [("anthropic", faults) for faults in ("nodone", "k10", "c10", "q10")]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("protocol", "faults"), ENDS)
def test_a_stream_that_said_everything_is_complete_without_its_terminator(
    stack: Stack, protocol: str, faults: str, dialect: str
) -> None:
    scene = Scene(stack, Up(f"n5-{faults}", protocol), Up("n7", protocol))
    started = time.monotonic()
    answer = scene.ask(dialect, stream=True)
    assert time.monotonic() - started < 2 * QUICK_SECONDS
    assert answer.told().text == scene.text(0)
    (entry,) = scene.asked(0)
    assert answer.told().usage == (
        entry["usage"]["prompt_tokens"],
        entry["usage"]["completion_tokens"],
    )
    assert scene.counts() == [1, 0]
    books = scene.books(answer)
    assert (books.record.status, books.entry.basis) == ("succeeded", "reported")
    assert books.outcomes == ["ok"]


def test_the_terminator_of_a_silent_stream_is_not_waited_for(stack: Stack) -> None:
    limits = {"first_event_seconds": 9, "idle_seconds": 9}
    scene = Scene(stack, Up("n5-q8"), Up("n7"), limits=limits)
    answer = scene.ask(stream=True)
    assert (answer.told().text, scene.counts()) == (scene.text(0), [1, 0])
    assert answer.seconds < 4


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_connection_of_a_silent_stream_is_given_up_and_the_process_lives_on(
    stack: Stack, dialect: str
) -> None:
    none = {"rescue": "none"}
    scene = Scene(stack, Up("n9-q4"), Up("n9", capabilities=none))
    for _ in range(3):
        answer = scene.ask(dialect, stream=True)
        answer.assert_broken_off()
        assert QUICK_SECONDS <= answer.seconds < 2 * QUICK_SECONDS
    assert all(entry["client_gone"] for entry in scene.asked(0))
    healthy = Scene(stack, Up("n5"))
    healthy.assert_served(healthy.ask(dialect, stream=True), 0, [1])
    process = psutil.Process(stack.apis[0].pid)
    port = stack.simulator.port
    stack.wait_for(lambda: open_connections(process, port) <= 2)


def open_connections(process: psutil.Process, port: int) -> int:
    connections = process.net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == port for c in connections)
