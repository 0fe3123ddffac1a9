"""Joining the stream of a second upstream to what a client has of the first.

The client must not notice: nothing is started twice, thoughts that were cut off are not
thought again, and a text that is written afresh goes on where the first one stopped.
"""

from collections.abc import Sequence

import msgspec

from gateway.protocols.canonical import UpstreamProblem
from gateway.protocols.events import (
    ArgumentsDelta,
    Event,
    Failed,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    Position,
    ReasoningDelta,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ToolCallStarted,
)

DIFFERENT = Failed(UpstreamProblem("The second answer differs from the first."), interrupted=True)
_OF_AN_ITEM = (
    ItemStarted,
    ToolCallStarted,
    TextDelta,
    ReasoningDelta,
    SignatureDelta,
    RefusalDelta,
    ArgumentsDelta,
    ItemEnded,
)


class Splice:
    """Takes the events of the second stream and gives those that the client must see.

    ``delivered`` must come again before anything new does; if it is nothing but white space,
    it may also not come, or only some of it.
    """

    def __init__(self, position: Position, delivered: str | None) -> None:
        self._position = position
        self._delivered = delivered or ""
        self._is_optional = self._delivered.isspace()
        self._again = ""
        self._next = position.next_index
        self._places: dict[int, int] = {}  # of items: the second stream's → the client's
        self._dropped: set[int] = set()
        # Texts that have said nothing new: the client is not told of them before they do.
        self._unheard: set[int] = set()

    def take(self, events: Sequence[Event]) -> list[Event]:
        taken: list[Event] = []
        for event in events:
            fitted = self._fit(event)
            if fitted is DIFFERENT:
                return [*taken, DIFFERENT]
            if fitted is not None:
                taken += self._announced(event, fitted)
        return taken

    def _announced(self, event: Event, fitted: Event) -> list[Event]:
        """The event, behind the beginning of its item if the client has not heard of that."""
        if not isinstance(event, TextDelta) or event.index not in self._unheard:
            return [fitted]
        self._unheard.remove(event.index)
        return [ItemStarted(self._place(event.index), ItemKind.TEXT), fitted]

    def _fit(self, event: Event) -> Event | None:
        is_behind = len(self._again) < len(self._delivered)
        match event:
            case Started():
                return None
            case ItemStarted():
                return self._start(event)
            case TextDelta() if is_behind:
                return self._compare(event)
            case ToolCallStarted() | RefusalDelta() | Finished() if (
                is_behind and not self._is_optional
            ):
                return DIFFERENT
            case _:
                return self._moved(event)

    def _moved(self, event: Event) -> Event | None:
        """An item's event under the place that the item has for the client."""
        if not isinstance(event, _OF_AN_ITEM):
            return event
        if event.index in self._dropped or self._is_unheard(event):
            return None
        return msgspec.structs.replace(event, index=self._place(event.index))

    def _is_unheard(self, event: Event) -> bool:
        return isinstance(event, ItemEnded) and event.index in self._unheard

    def _start(self, event: ItemStarted) -> Event | None:
        if event.kind is ItemKind.REASONING:
            self._dropped.add(event.index)
            return None
        position = self._position
        if event.kind is position.open_kind and position.open_index is not None:
            self._places[event.index] = position.open_index
            self._position = msgspec.structs.replace(position, open_index=None)
            return None
        if event.kind is ItemKind.TEXT and len(self._again) < len(self._delivered):
            self._unheard.add(event.index)
            return None
        return msgspec.structs.replace(event, index=self._place(event.index))

    def _place(self, index: int) -> int:
        if index not in self._places:
            self._places[index] = self._next
            self._next += 1
            # What was open cannot go on behind something else.
            self._position = msgspec.structs.replace(self._position, open_index=None)
        return self._places[index]

    def _compare(self, event: TextDelta) -> Event | None:
        """What was delivered must come again, letter by letter; then the rest is new."""
        missing = self._delivered[len(self._again) :]
        old = _common_beginning(missing, event.text)
        new = event.text[len(old) :]
        self._again += old
        if new and old != missing:
            if not self._is_optional:
                return DIFFERENT
            self._again = self._delivered
        return TextDelta(self._place(event.index), new) if new else None


def _common_beginning(one: str, other: str) -> str:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return one[:length]
