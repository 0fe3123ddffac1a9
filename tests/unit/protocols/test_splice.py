"""Events of a second stream, fitted to what the client has of the first."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.canonical import Finish, UpstreamProblem
from gateway.protocols.events import (
    ArgumentsDelta,
    Event,
    Failed,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    Pinged,
    Position,
    ReasoningDelta,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from gateway.protocols.splice import DIFFERENT, Splice

TEXT, REASONING, REFUSAL = ItemKind.TEXT, ItemKind.REASONING, ItemKind.REFUSAL
STOP = Finished(Finish.STOP)
IN_TEXT = Position("id", 1, 1, 0, TEXT)
AFTER_THOUGHTS = Position("id", 1, 2, 1, TEXT)
CLOSED = Position("id", 1, 1)


def text(index: int, *pieces: str) -> list[Event]:
    deltas = [TextDelta(index, piece) for piece in pieces]
    return [ItemStarted(index, TEXT), *deltas, ItemEnded(index)]


def thoughts(index: int) -> list[Event]:
    return [
        ItemStarted(index, REASONING),
        ReasoningDelta(index, "Hm"),
        SignatureDelta(index, "signed"),
        ItemEnded(index),
    ]


def call(index: int) -> list[Event]:
    return [ToolCallStarted(index, "c", "f"), ArgumentsDelta(index, "{}"), ItemEnded(index)]


def taken(position: Position, delivered: str | None, *events: Event) -> list[Event]:
    return Splice(position, delivered).take([Started("other", "m"), *events, STOP])


@pytest.mark.parametrize(
    ("position", "second", "expected"),
    [
        # The open text goes on.
        (IN_TEXT, text(0, "a"), [TextDelta(0, "a"), ItemEnded(0)]),
        (AFTER_THOUGHTS, text(0, "a"), [TextDelta(1, "a"), ItemEnded(1)]),
        # Nothing is thought again.
        (IN_TEXT, [*thoughts(0), *text(1, "a")], [TextDelta(0, "a"), ItemEnded(0)]),
        (IN_TEXT, [*text(0, "a"), *thoughts(1)], [TextDelta(0, "a"), ItemEnded(0)]),
        # What was closed is not opened again.
        (CLOSED, text(0, "a"), text(1, "a")),
        # What is new comes behind what is there.
        (IN_TEXT, [*text(0, "a"), *call(1)], [TextDelta(0, "a"), ItemEnded(0), *call(1)]),
        (IN_TEXT, call(0), call(1)),
        (IN_TEXT, [*call(0), *text(1, "a")], [*call(1), *text(2, "a")]),
        (IN_TEXT, [*call(0), *call(1)], [*call(1), *call(2)]),
        (IN_TEXT, [*text(0, "a"), *text(1, "b")], [TextDelta(0, "a"), ItemEnded(0), *text(1, "b")]),
        # Open thoughts are over once something else begins.
        (Position("id", 1, 1, 0, REASONING), [*thoughts(0), *text(1, "a")], text(1, "a")),
        (
            IN_TEXT,
            [ItemStarted(0, REFUSAL), RefusalDelta(0, "no"), ItemEnded(0)],
            [ItemStarted(1, REFUSAL), RefusalDelta(1, "no"), ItemEnded(1)],
        ),
        # Not everybody has more to say.
        (IN_TEXT, [], []),
    ],
)
def test_what_continues_goes_on_where_the_first_one_stopped(
    position: Position, second: list[Event], expected: list[Event]
) -> None:
    assert taken(position, None, *second) == [*expected, STOP]


def test_what_is_of_no_item_stays_as_it_is() -> None:
    others: list[Event] = [
        Pinged(),
        UsageReported([("input", "", 3)]),
        Failed(UpstreamProblem("no")),
    ]
    for delivered in (None, "missing"):
        assert Splice(IN_TEXT, delivered).take(others) == others


PIECES = st.lists(st.text(max_size=4), max_size=8)


@given(PIECES, st.data())
def test_a_text_that_is_written_afresh_is_joined_wherever_it_was_cut(
    pieces: list[str], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    events = taken(IN_TEXT, whole[:cut], *text(0, *pieces))
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert whole[:cut] + said == whole
    assert DIFFERENT not in events


@given(PIECES, PIECES, st.data())
def test_whatever_comes_the_client_is_never_told_a_contradiction(
    first: list[str], second: list[str], data: st.DataObject
) -> None:
    whole, fresh = "".join(first), "".join(second)
    delivered = whole[: data.draw(st.integers(0, len(whole)))]
    batches = data.draw(st.booleans())
    splice = Splice(IN_TEXT, delivered)
    events = [*text(0, *second), STOP]
    given_ = [splice.take([event]) for event in events] if batches else [splice.take(events)]
    told = list(itertools.chain.from_iterable(given_))
    if DIFFERENT in told:
        told = told[: told.index(DIFFERENT)]
        assert not fresh.startswith(delivered)
        assert STOP not in told
        assert not any(isinstance(event, TextDelta) for event in told)
        return
    said = "".join(event.text for event in told if isinstance(event, TextDelta))
    assert fresh.startswith(delivered) or not delivered.strip()
    if fresh.startswith(delivered):
        assert delivered + said == fresh


@pytest.mark.parametrize(
    "second",
    [
        text(0, "Hello, me"),
        text(0, "h"),
        text(0, "Hel", "Lo"),
        text(0, "Hello, yo", "-"),
        text(0, "Hello, "),  # and no more
        text(0),
        [],
        call(0),
        [*thoughts(0), *call(1)],
        [*text(0, "Hello, "), *call(1)],
        [ItemStarted(0, REFUSAL), RefusalDelta(0, "I cannot")],
    ],
)
def test_another_answer_than_before_is_an_interruption(second: list[Event]) -> None:
    events = taken(IN_TEXT, "Hello, you", *second)
    assert events[-1] is DIFFERENT
    assert DIFFERENT.interrupted
    kinds = (TextDelta, RefusalDelta, ToolCallStarted, ArgumentsDelta, Finished)
    assert not any(isinstance(event, kinds) for event in events)


def test_after_the_same_text_anything_may_follow() -> None:
    same = text(0, "Hello", ", you")
    for following in ([], call(1), [*thoughts(1), *text(2, "More.")], text(1, "More.")):
        events = taken(IN_TEXT, "Hello, you", *same, *following)
        assert DIFFERENT not in events
        assert events[-1] is STOP
        assert [event for event in events if isinstance(event, ToolCallStarted)] == [
            ToolCallStarted(1, "c", "f") for _ in following[:1] if following == call(1)
        ]


def test_a_text_in_several_items_counts_as_one() -> None:
    events = taken(IN_TEXT, "Hello", *text(0, "He"), *text(1, "llo you"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == [" you"]
