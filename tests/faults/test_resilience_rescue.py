"""Streams that break off after their first words, and go on as if nothing had happened."""

from collections.abc import Generator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.faults.heard import Answer
from tests.faults.resilience import (
    DIALECTS,
    PAIRS,
    QUICK_SECONDS,
    Scene,
    Up,
    assert_sound,
)
from tests.faults.scripted import ScriptedUpstream, anthropic_stream, openai_stream
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.upstream.text import plain_text

TRIPLES = list(product(DIALECTS, DIALECTS, DIALECTS))
# Each word in a packet of its own, so that what was sent before a break has arrived.
PACED = "n9-d15"
CONTINUES = {"prefix": "message"}
INTERRUPTED = "upstream_interrupted"


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running
        assert_sound(running)


def beginning(scene: Scene, place: int, request: int = -1) -> str | None:
    """With which the upstream was asked to begin its answer."""
    last = scene.asked(place)[request]["body"]["messages"][-1]
    return plain_text(last["content"]) if last["role"] == "assistant" else None


def assert_rescued(scene: Scene, answer: Answer, counts: list[int], outcomes: list[str]) -> None:
    """One whole stream, paid by the usage of the upstream that ended it."""
    place = len(counts) - 1
    told = answer.told()
    assert (told.text, told.model) == (scene.text(0), scene.name)
    assert scene.counts() == counts
    books = scene.assert_charged(answer, place)
    assert books.outcomes == outcomes
    is_other = scene.has_other
    assert books.record.answered_model == (scene.other_name if is_other else scene.name)


@pytest.mark.parametrize(("dialect", "first", "second"), TRIPLES)
def test_another_upstream_continues_from_what_was_delivered(
    stack: Stack, dialect: str, first: str, second: str
) -> None:
    scene = Scene(stack, Up(f"{PACED}-k6", first), Up("n9", second, capabilities=CONTINUES))
    answer = scene.ask(dialect, stream=True)
    assert_rescued(scene, answer, [1, 1], [INTERRUPTED, "ok"])
    said = beginning(scene, 1)
    assert said
    assert scene.text(0).startswith(said)
    (whole,) = scene.asked(1)
    written = scene.asked(0)[0]["content_pieces_written"]
    assert whole["content_pieces_written"] == 9 - written
    assert "x-sluice-attempts" in answer.headers


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ("c6", INTERRUPTED),
        ("q6", "upstream_timeout"),
        ("err6", "upstream_error"),
        ("midfinish6", INTERRUPTED),
    ],
)
def test_however_it_breaks_it_goes_on(
    stack: Stack, faults: str, outcome: str, dialect: str, protocol: str
) -> None:
    first = Up(f"{PACED}-{faults}x1", protocol)
    scene = Scene(stack, first, other=Up("n9", protocol, capabilities=CONTINUES))
    answer = scene.ask(dialect, stream=True)
    assert_rescued(scene, answer, [1, 1], [outcome, "ok"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_breaks_again_and_goes_on_again(stack: Stack, dialect: str) -> None:
    again = Up(f"{PACED}-k4", "anthropic" if dialect == "openai" else "openai", 1, None, CONTINUES)
    scene = Scene(stack, Up(f"{PACED}-k6"), again, Up("n9", capabilities=CONTINUES))
    answer = scene.ask(dialect, stream=True)
    assert_rescued(scene, answer, [1, 1, 1], [INTERRUPTED, INTERRUPTED, "ok"])
    once, twice = beginning(scene, 1), beginning(scene, 2)
    assert once
    assert twice
    assert twice.startswith(once)
    assert len(twice) > len(once)


@pytest.mark.parametrize(
    ("dialect", "protocol", "sampling"),
    [
        *((*names, {"temperature": 0}) for names in PAIRS),
        *(("openai", protocol, {"seed": 7}) for protocol in DIALECTS),
    ],
)
def test_what_cannot_be_continued_is_written_again_and_aligned(
    stack: Stack, dialect: str, protocol: str, sampling: dict[str, Any]
) -> None:
    second = Up("n9-noprefix", protocol, capabilities=CONTINUES)
    scene = Scene(stack, Up(f"{PACED}-k6", protocol), second)
    answer = scene.ask(dialect, stream=True, **sampling)
    assert_rescued(scene, answer, [1, 2], [INTERRUPTED, "upstream_rejected", "ok"])
    assert beginning(scene, 1, 0)
    assert beginning(scene, 1, 1) is None
    # The refusal of our own request says nothing of the backend: it is asked again.
    assert scene.ask(dialect, stream=True, **sampling).told().text == scene.text(0)
    assert scene.counts() == [2, 4]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_known_not_to_continue_is_aligned_at_once(stack: Stack, dialect: str) -> None:
    second = Up("n9-noprefix", capabilities={"prefix": "none"})
    scene = Scene(stack, Up(f"{PACED}-k6"), second)
    answer = scene.ask(dialect, stream=True, temperature=0)
    assert_rescued(scene, answer, [1, 1], [INTERRUPTED, "ok"])
    assert beginning(scene, 1) is None


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_alignment_can_be_set_for_other_models_and_any_sampling(
    stack: Stack, dialect: str, protocol: str
) -> None:
    second = Up("n9", protocol, capabilities={"rescue": "align"})
    scene = Scene(stack, Up(f"{PACED}-k6", protocol), other=second)
    answer = scene.ask(dialect, stream=True)
    assert_rescued(scene, answer, [1, 1], [INTERRUPTED, "ok"])
    assert beginning(scene, 1) is None


def test_who_cannot_go_on_is_not_asked_and_costs_no_try(stack: Stack) -> None:
    deaf = Up("n9", capabilities={"prefix": "none"})
    scene = Scene(stack, Up(f"{PACED}-k6"), deaf, deaf, deaf, Up("n9", capabilities=CONTINUES))
    answer = scene.ask(stream=True)
    assert_rescued(scene, answer, [1, 0, 0, 0, 1], [INTERRUPTED, "ok"])


def test_what_is_written_again_may_take_longer_than_a_first_word(stack: Stack) -> None:
    second = Up("n40-d30", capabilities={"rescue": "align"})
    scene = Scene(stack, Up("n40-d15-k38"), second)
    answer = scene.ask(stream=True)
    assert_rescued(scene, answer, [1, 1], [INTERRUPTED, "ok"])
    assert answer.seconds > 3 * QUICK_SECONDS


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_a_buffered_stream_begins_anew(stack: Stack, dialect: str, protocol: str) -> None:
    buffered = {"stream_buffer": "full"}
    for faults in ("k6", "c6", "q6", "err6"):
        first = Up(f"n5-d15-{faults}", protocol, capabilities=buffered)
        scene = Scene(stack, first, Up("n9", protocol))
        answer = scene.ask(dialect, stream=True)
        # What the error event stands for is tried once more in one dialect, not in the other.
        times = 2 if (faults, protocol) == ("err6", "openai") else 1
        scene.assert_served(answer, 1, [times, 1])
        assert beginning(scene, 1) is None


def test_a_buffered_stream_may_take_longer_than_a_first_word(stack: Stack) -> None:
    scene = Scene(stack, Up("n9-d100", capabilities={"stream_buffer": "full"}), Up("n7"))
    scene.assert_served(scene.ask(stream=True), 0, [1, 0])


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_thoughts_alone_are_answered_anew(stack: Stack, dialect: str, protocol: str) -> None:
    broken = f"{PACED}-r6-k{3 if protocol == 'openai' else 5}"
    scene = Scene(stack, Up(broken, protocol), Up("n9-r6", protocol))
    answer = scene.ask(dialect, stream=True)
    assert_rescued(scene, answer, [1, 1], [INTERRUPTED, "ok"])
    assert beginning(scene, 1) is None
    thoughts = answer.told().thoughts
    assert thoughts
    assert len(thoughts.split()) == 2, "what was thought is not thought again"


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("rest", [(" ", "three"), (" three",), ("three",)])
def test_white_space_at_the_cut_is_neither_lost_nor_doubled(
    stack: Stack, rest: tuple[str, ...], dialect: str, protocol: str
) -> None:
    stream = openai_stream if protocol == "openai" else anthropic_stream
    words = stream("one", " two", " ", is_whole=False), stream(*rest, is_whole=True)
    with ScriptedUpstream(*words) as upstream:
        url = f"{upstream.url}/v1"
        scene = Scene(stack, *[Up("n1", protocol, 1, url, CONTINUES)] * 2)
        answer = scene.ask(dialect, stream=True)
    assert answer.told().text == "one two three"
    last = upstream.bodies[1]["messages"][-1]
    assert (last["role"], plain_text(last["content"])) == ("assistant", "one two")


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_nothing_but_white_space_is_no_beginning(stack: Stack, dialect: str, protocol: str) -> None:
    first = Up("n9-s1-d15-k6", protocol)
    scene = Scene(stack, first, Up("n9-s1", protocol, capabilities=CONTINUES))
    answer = scene.ask(dialect, stream=True)
    assert answer.told().text == 9 * " "
    assert beginning(scene, 1) is None


def test_what_was_delivered_counts_against_the_longest_answer(stack: Stack) -> None:
    scene = Scene(stack, Up("n40-s4-d15-k11"), Up("n40-s4", capabilities=CONTINUES))
    answer = scene.ask(stream=True, max_tokens=20)
    assert answer.told().text == 20 * " tok"
    assert answer.told().finish == "length"
    assert scene.asked(1)[0]["body"]["max_tokens"] == 10


def test_the_beginning_that_the_client_gave_stays_before_ours(stack: Stack) -> None:
    scene = Scene(stack, Up(f"{PACED}-k6"), Up("n9", capabilities=CONTINUES))
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": " tok00000"}]
    answer = scene.ask(stream=True, messages=messages)
    assert " tok00000" + answer.told().text == scene.text(0)
    assert len(scene.asked(1)[0]["body"]["messages"]) == 2
