"""Recorded message streams, whole and cut anywhere, and the events that they must become.

A new quirk of a server is a new pair of files: ``streams/NAME.sse`` and ``NAME.events.json``.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.protocols import sse
from gateway.protocols.anthropic_messages import Reader
from gateway.protocols.events import Event

FOLDER = Path(__file__).parent / "streams"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sse"))


def read(stream: bytes, size: int) -> list[Event]:
    splitter, reader = sse.Splitter(), Reader()
    events: list[Event] = []
    for at in range(0, len(stream), size):
        for event in splitter.feed(stream[at : at + size]):
            events += reader.read(event)
    return events + reader.read(splitter.rest()) + reader.end()


def as_json(events: list[Event]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(msgspec.json.encode(events))
    return told


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_stream_becomes_its_events(name: str) -> None:
    stream = (FOLDER / f"{name}.sse").read_bytes()
    expected = json.loads((FOLDER / f"{name}.events.json").read_bytes())
    assert as_json(read(stream, len(stream) or 1)) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", NAMES)
def test_where_a_recorded_stream_is_cut_makes_no_difference(name: str, size: int) -> None:
    stream = (FOLDER / f"{name}.sse").read_bytes()
    assert as_json(read(stream, size)) == as_json(read(stream, len(stream) or 1))


@pytest.mark.parametrize("name", NAMES)
def test_items_are_started_once_ended_once_and_silent_outside(name: str) -> None:
    open_items: set[int] = set()
    seen = 0
    events = as_json(read((FOLDER / f"{name}.sse").read_bytes(), 1))
    for event in events:
        if event["type"] in {"item_started", "tool_call_started"}:
            assert event["index"] == seen
            seen += 1
            open_items.add(event["index"])
        elif "index" in event:
            assert event["index"] in open_items
            if event["type"] == "item_ended":
                open_items.remove(event["index"])
    assert events[-1]["type"] in {"finished", "failed"}
    assert not open_items or events[-1]["type"] == "failed"


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("garbage_in_the_middle", 3),
        ("delta_after_its_stop", 1),
        ("tool_without_a_name", 1),
        ("unknown_events_and_deltas", 0),
        ("server_tools_are_skipped", 0),
    ],
)
def test_what_cannot_be_read_is_counted_and_what_is_merely_new_is_not(
    name: str, skipped: int
) -> None:
    reader = Reader()
    for event in sse.Splitter().feed((FOLDER / f"{name}.sse").read_bytes()):
        reader.read(event)
    assert reader.skipped == skipped
