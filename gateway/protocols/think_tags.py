"""Thoughts that a server writes into the text, as ``<think>…</think>`` at its beginning."""

from collections.abc import Sequence

import msgspec

from gateway.protocols.canonical import Answer, Item, Reasoning, Text
from gateway.protocols.events import (
    Event,
    Failed,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    Pinged,
    ReasoningDelta,
    Started,
    TextDelta,
    UsageReported,
)
from gateway.protocols.exchange import StreamReader

OPEN, CLOSE = "<think>", "</think>"
_OF_THE_WHOLE = (Started, UsageReported, Pinged, Finished, Failed)


def untagged(answer: Answer) -> Answer:
    """The answer with its thoughts as thoughts."""
    items: list[Item] = []
    for item in answer.items:
        if isinstance(item, Text) and not items and item.text.lstrip().startswith(OPEN):
            thoughts, _, rest = item.text.lstrip().removeprefix(OPEN).partition(CLOSE)
            items += [Reasoning(thoughts)] if thoughts.strip() else []
            items += [Text(rest.lstrip("\n"))] if rest.strip() else []
        else:
            items.append(item)
    return msgspec.structs.replace(answer, items=tuple(items))


class Untagged:
    """Reads a stream whose first text may begin with thoughts in tags."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._shift = 0  # how many items more there are than the server knows
        self._place: int | None = None  # of the text that is looked at
        self._held = ""  # what may be a part of a tag
        self._is_thinking = False
        self._is_after = False  # the thoughts are closed, and nothing was said yet
        self._is_decided = False  # whatever follows is as it seems

    @property
    def skipped(self) -> int:
        return self._reader.skipped

    def read(self, event: bytes) -> list[Event]:
        return self._sorted(self._reader.read(event))

    def end(self) -> list[Event]:
        return self._sorted(self._reader.end())

    def _sorted(self, events: Sequence[Event]) -> list[Event]:
        sorted_: list[Event] = []
        for event in events:
            self._sort(event, sorted_)
        return sorted_

    def _sort(self, event: Event, out: list[Event]) -> None:
        if self._is_decided or isinstance(event, _OF_THE_WHOLE):
            out.append(self._shifted(event))
        elif self._place is None:
            self._begin(event, out)
        elif isinstance(event, TextDelta):
            self._held += event.text
            self._look(out)
        else:
            self._decide(out)
            out.append(self._shifted(event))

    def _begin(self, event: Event, out: list[Event]) -> None:
        if isinstance(event, ItemStarted) and event.kind is ItemKind.TEXT:
            self._place = event.index
        else:
            self._is_decided = True  # thoughts of its own, or a tool call
            out.append(event)

    def _look(self, out: list[Event]) -> None:
        assert self._place is not None  # noqa: S101 -- a text was begun
        if not self._is_thinking:
            start = self._held.lstrip()
            if OPEN.startswith(start[: len(OPEN)]) and len(start) < len(OPEN):
                return
            if not start.startswith(OPEN):
                self._decide(out)
                return
            self._is_thinking = True
            self._held = start.removeprefix(OPEN)
            out.append(ItemStarted(self._place, ItemKind.REASONING))
        self._think(out)

    def _think(self, out: list[Event]) -> None:
        assert self._place is not None  # noqa: S101
        thoughts, is_closed, rest = self._held.partition(CLOSE)
        if not is_closed:
            kept = _length_of_beginning(self._held)
            thoughts, self._held = self._held[: len(self._held) - kept], self._held[-kept:]
            self._held = self._held if kept else ""
        if thoughts:
            out.append(ReasoningDelta(self._place, thoughts))
        if is_closed:
            self._held, self._is_after = rest, True
            self._decide(out)

    def _decide(self, out: list[Event]) -> None:
        """From here on everything is what it seems."""
        assert self._place is not None  # noqa: S101
        self._is_decided = True
        if self._is_thinking:
            out.append(ItemEnded(self._place))
            self._shift = 1
        out.append(ItemStarted(self._place + self._shift, ItemKind.TEXT))
        if self._held:
            out.append(self._shifted(TextDelta(self._place, self._held)))

    def _shifted(self, event: Event) -> Event:
        if not self._shift or isinstance(event, _OF_THE_WHOLE):
            return event
        if self._is_after and isinstance(event, TextDelta):
            # Line breaks between thoughts and text belong to neither.
            text = event.text.lstrip("\n")
            self._is_after = not text
            event = TextDelta(event.index, text)
        return msgspec.structs.replace(event, index=event.index + self._shift)


def _length_of_beginning(text: str) -> int:
    """How many characters at the end of the text may begin the closing tag."""
    longest = min(len(text), len(CLOSE) - 1)
    return next((n for n in range(longest, 0, -1) if CLOSE.startswith(text[-n:])), 0)
