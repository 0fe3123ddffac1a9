"""Watching a stream that is converted: each event read from one dialect, written in another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from gateway.protocols import tool_state
from gateway.protocols.canonical import Item, Reasoning, ToolCall, Usage
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
    UsageReported,
)
from gateway.protocols.exchange import Seen, StreamReader, StreamWriter
from gateway.protocols.splice import Splice

_OF_THOUGHTS = (ItemStarted, ReasoningDelta, SignatureDelta, ItemEnded)


class _Thought:
    """Reasoning as it comes in."""

    __slots__ = ("pieces", "redacted", "signature")

    def __init__(self, redacted: str | None) -> None:
        self.pieces: list[str] = []
        self.redacted = redacted
        self.signature: str | None = None

    def item(self) -> Reasoning:
        return Reasoning("".join(self.pieces), self.signature, self.redacted)


class Converting:
    """Reads one upstream's stream in its dialect and writes the client's."""

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        *,
        shows_thoughts: bool = True,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._shows_thoughts = shows_thoughts
        self._splice: Splice | None = None
        self._is_started = False
        self._items = 0
        # Of the item that is under way: its number, its place for the client, its kind.
        self._open: tuple[int, int, ItemKind] | None = None
        self._thoughts: dict[int, _Thought] = {}
        self._calls: list[ToolCallStarted] = []
        self.usage: Usage | None = None
        self.finished = False

    def go_on(self, position: Position, delivered: str | None) -> None:
        """Go on with what another has begun; see ``Exchange.resume``."""
        self._splice = Splice(position, delivered)
        self._is_started = True
        self._items = position.next_index
        if position.open_index is not None and position.open_kind is not None:
            self._open = (position.open_index, position.open_index, position.open_kind)

    @property
    def garbage(self) -> int:
        return self._reader.skipped

    @property
    def states(self) -> Mapping[str, bytes]:
        if not self._calls:
            return {}
        items: list[Item] = [thought.item() for thought in self._thoughts.values()]
        items += [ToolCall(call.id, call.name, "", call.extra_content) for call in self._calls]
        return tool_state.of_items(items)

    def see(self, event: bytes) -> Seen:
        skipped = self._reader.skipped
        events = self._reader.read(event)
        if not events:
            return Seen(b"", is_garbage=self._reader.skipped > skipped)
        if len(events) == 1 and type(events[0]) is TextDelta and self._splice is None:
            # Nearly all of a stream: worth a short way.
            text = events[0].text
            return Seen(self._writer.write(events[0]), text, text, is_content=True)
        return self.tell(events)

    def end(self) -> Seen:
        return self.tell(self._reader.end())

    def position(self) -> Position | None:
        """Thoughts and text can be gone on with; a tool call or a second stream's end cannot."""
        if self._calls or self.finished or not self._is_started:
            return None
        _, place, kind = self._open or (None, None, None)
        return Position(self._writer.id, self._writer.created, self._items, place, kind)

    def tell(self, events: Sequence[Event]) -> Seen:
        """What these events mean, and how the client is told of them."""
        if self._splice is not None:
            events = self._splice.take(events)
        seen = Seen(b"")
        written = []
        for event in events:
            note = self._NOTES.get(type(event))
            if note is not None:
                note(self, event, seen)
            if self._shows_thoughts or not self._is_thought(event):
                written.append(self._writer.write(event))
        seen.event = written[0] if len(written) == 1 else b"".join(written)
        return seen

    def _is_thought(self, event: Event) -> bool:
        return isinstance(event, _OF_THOUGHTS) and event.index in self._thoughts

    def _start(self, _event: Started, seen: Seen) -> None:
        self._is_started = True
        seen.is_chunk = True

    def _begin(self, event: ItemStarted, _seen: Seen) -> None:
        if event.kind is ItemKind.REASONING:
            self._thoughts[event.index] = _Thought(event.redacted)
            if not self._shows_thoughts:
                return
        # Places are those that the client knows: hidden thoughts have none.
        self._open = (event.index, self._items, event.kind)
        self._items += 1

    def _text(self, event: TextDelta, seen: Seen) -> None:
        seen.is_content = True
        seen.text += event.text
        seen.said += event.text

    def _refuse(self, event: RefusalDelta, seen: Seen) -> None:
        seen.is_content = True
        seen.text += event.text

    def _think(self, event: ReasoningDelta, seen: Seen) -> None:
        seen.is_content = True
        seen.text += event.text
        if event.index in self._thoughts:
            self._thoughts[event.index].pieces.append(event.text)

    def _sign(self, event: SignatureDelta, _seen: Seen) -> None:
        if event.index in self._thoughts:
            thought = self._thoughts[event.index]
            thought.signature = (thought.signature or "") + event.signature

    def _call(self, event: ToolCallStarted, seen: Seen) -> None:
        self._items += 1
        self._open = None
        self._calls.append(event)
        seen.is_content = seen.is_tool = True
        seen.text += event.name

    def _argue(self, event: ArgumentsDelta, seen: Seen) -> None:
        seen.is_content = seen.is_tool = True
        seen.text += event.text

    def _close(self, event: ItemEnded, _seen: Seen) -> None:
        if self._open is not None and self._open[0] == event.index:
            self._open = None

    def _report(self, event: UsageReported, _seen: Seen) -> None:
        self.usage = event.usage

    def _finish(self, _event: Finished, seen: Seen) -> None:
        self.finished = True
        seen.is_finish = seen.is_done = True

    def _fail(self, event: Failed, seen: Seen) -> None:
        seen.problem = event.problem
        seen.is_interrupted = event.interrupted

    _NOTES: ClassVar[dict[type, Callable[["Converting", Any, Seen], None]]] = {
        Started: _start,
        ItemStarted: _begin,
        TextDelta: _text,
        RefusalDelta: _refuse,
        ReasoningDelta: _think,
        SignatureDelta: _sign,
        ToolCallStarted: _call,
        ArgumentsDelta: _argue,
        ItemEnded: _close,
        UsageReported: _report,
        Finished: _finish,
        Failed: _fail,
    }
