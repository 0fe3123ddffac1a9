"""Thoughts in tags become thoughts, wherever the stream is cut; text that only looks so stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.canonical import Answer, Finish, Reasoning, Text
from gateway.protocols.events import (
    Event,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    ReasoningDelta,
    Started,
    TextDelta,
)
from gateway.protocols.think_tags import Untagged, untagged


class Pieces:
    """A reader of a stream that says one text in pieces, each event being one of them."""

    skipped = 0

    def read(self, event: bytes) -> list[Event]:
        if event == b"start":
            return [Started("id", "model"), ItemStarted(0, ItemKind.TEXT)]
        return [TextDelta(0, event.decode())]

    def end(self) -> list[Event]:
        return [ItemEnded(0), Finished(Finish.STOP)]


def read(pieces: list[str]) -> list[Event]:
    reader = Untagged(Pieces())
    events = reader.read(b"start")
    for piece in pieces:
        events += reader.read(piece.encode())
    return events + reader.end()


def heard(events: list[Event]) -> tuple[str, str]:
    """Thoughts and text, after checking that every item is started and ended once."""
    started = [e.index for e in events if isinstance(e, ItemStarted)]
    ended = [e.index for e in events if isinstance(e, ItemEnded)]
    assert started == ended == list(range(len(started)))
    thoughts = "".join(e.text for e in events if isinstance(e, ReasoningDelta))
    return thoughts, "".join(e.text for e in events if isinstance(e, TextDelta))


CASES = [
    ("<think>\nhm\n</think>\n\nYes", "\nhm\n", "Yes"),
    ("  <think>a < b </ think></think>no", "a < b </ think>", "no"),
    ("<thin air", "", "<thin air"),
    ("plain <think>x</think>", "", "plain <think>x</think>"),
    ("<think>never closed", "never closed", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "thoughts", "said"), CASES)
def test_a_text_cut_at_every_character_is_sorted_as_a_whole_one(
    text: str, thoughts: str, said: str
) -> None:
    assert heard(read([text])) == (thoughts, said)
    assert heard(read(list(text))) == (thoughts, said)


@given(st.text("<think>/ ab\n", max_size=30), st.data())
def test_cuts_anywhere_change_nothing(text: str, data: st.DataObject) -> None:
    text = "<think>" + text
    cut = data.draw(st.integers(0, len(text)))
    assert heard(read([text[:cut], text[cut:]])) == heard(read([text]))


def test_a_whole_answer_is_sorted_too() -> None:
    answer = Answer(
        id="1", model="m", items=(Text("<think>\nhm\n</think>\n\nYes"),), finish=Finish.STOP
    )
    assert untagged(answer).items == (Reasoning("\nhm\n"), Text("Yes"))
    plain = Answer(id="1", model="m", items=(Text("a <think>"),), finish=Finish.STOP)
    assert untagged(plain).items == plain.items
