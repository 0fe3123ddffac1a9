"""Reading an Anthropic messages stream: what each of its events says, in canonical events."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from gateway.protocols import sse
from gateway.protocols.anthropic_messages import usage, wire
from gateway.protocols.anthropic_messages.answer import read_finish, tool_call
from gateway.protocols.anthropic_messages.framing import data_of
from gateway.protocols.anthropic_messages.verdicts import find_problem, named
from gateway.protocols.canonical import Json
from gateway.protocols.events import (
    ArgumentsDelta,
    Event,
    Failed,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    Pinged,
    ReasoningDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from gateway.protocols.problems import ENDED_EARLY, NOT_JSON

INTERRUPTED = Failed(ENDED_EARLY, interrupted=True)
_UNANNOUNCED = wire.Reply()

_events = msgspec.json.Decoder(wire.StreamEvent)


class _Block:
    """A block as it comes in; what has no item is of a kind that goes no further."""

    __slots__ = ("ended", "given", "index", "kind")

    def __init__(self, kind: str, index: int | None, given: str = "") -> None:
        self.kind = kind
        self.index = index
        self.given = given  # arguments that came with the start, and count if no others come
        self.ended = False


class Reader:
    """Reads the events of one stream in order; ``end`` is called when the bytes are over.

    Nothing follows Finished or Failed. ``skipped`` counts what could not be understood.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._is_started = False
        self._is_over = False
        self._items = 0
        self._blocks: dict[int, _Block] = {}
        self._latest = 0  # place of the block that was begun last
        self._has_calls = False
        self._usage: Json = {}
        self._reason: str | None = None
        self._stop_sequence: str | None = None

    def read(self, event: bytes) -> list[Event]:
        if self._is_over:
            return []
        data = data_of(event)
        if not data:
            return [Pinged()] if event.strip() and sse.is_comment_only(event) else []
        try:
            told = _events.decode(data)
        except NOT_JSON:
            self.skipped += 1
            return self._pass_over(event, data)
        take = self._TAKE.get(told.type or named(event))
        if take is None or told.error:
            return self._pass_over(event, data)
        return take(self, told)

    def end(self) -> list[Event]:
        """The connection is closed: complete if a reason to stop was given, else broken."""
        if self._is_over:
            return []
        return self._finish() if self._reason else self._fail(INTERRUPTED)

    def _pass_over(self, event: bytes, data: bytes) -> list[Event]:
        """What has nothing to say for us may still be an error."""
        problem = find_problem(event, data)
        return [] if problem is None else self._fail(Failed(problem))

    def _ping(self, _told: wire.StreamEvent) -> list[Event]:
        return [Pinged()]

    def _start(self, told: wire.StreamEvent) -> list[Event]:
        """What the beginning says of the output is not meant: usage is told at the end."""
        message = told.message or wire.Reply()
        self._usage = usage.merge(self._usage, message.usage)
        return self._begin(message)

    def _begin(self, message: wire.Reply) -> list[Event]:
        """Only the first message counts; servers that announce none have an answer too."""
        if self._is_started:
            return []
        self._is_started = True
        return [Started(message.id or "", message.model or "")]

    def _count(self, told: object) -> list[Event]:
        self._usage = usage.merge(self._usage, told)
        counted = usage.read(self._usage) if told else None
        return [] if counted is None else [UsageReported(counted)]

    def _open(self, told: wire.StreamEvent) -> list[Event]:
        said = told.content_block or wire.SaidBlock()
        place = self._next_place() if told.index is None else told.index
        events = [*self._begin(_UNANNOUNCED), *self._end_block(place)]
        self._latest = place
        match said.type:
            case "tool_use":
                return events + self._open_call(place, said)
            case "text":
                events += self._open_item(place, ItemKind.TEXT)
            case "thinking":
                events += self._open_item(place, ItemKind.REASONING)
            case "redacted_thinking":
                return events + self._open_item(place, ItemKind.REASONING, said.opaque())
            case _:
                self._blocks[place] = _Block(said.type, None)
        block = self._blocks[place]
        delta = wire.Delta(text=said.text, thinking=said.thinking, signature=said.signature)
        return events + _said(block, delta)

    def _open_item(self, place: int, kind: ItemKind, redacted: str | None = None) -> list[Event]:
        index = self._next_item()
        self._blocks[place] = _Block(kind.value, index)
        return [ItemStarted(index, kind, redacted)]

    def _open_call(self, place: int, said: wire.SaidBlock) -> list[Event]:
        try:
            call = tool_call(said)
        except NOT_JSON:
            call = None
        if call is None:
            self.skipped += 1
            self._blocks[place] = _Block("", None)
            return []
        index = self._next_item()
        given = "" if call.arguments == "{}" else call.arguments
        self._blocks[place] = _Block("tool_use", index, given)
        self._has_calls = True
        return [ToolCallStarted(index, call.id, call.name)]

    def _add(self, told: wire.StreamEvent) -> list[Event]:
        delta = told.delta or wire.Delta()
        place = self._latest if told.index is None else told.index
        events = self._begin(_UNANNOUNCED)
        if place not in self._blocks:
            events += self._open_unannounced(place, delta)
        block = self._blocks.get(place)
        if block is None or block.ended:
            self.skipped += 1
            return events
        if delta.partial_json:
            block.given = ""
        return events + _said(block, delta)

    def _open_unannounced(self, place: int, delta: wire.Delta) -> list[Event]:
        """A server that forgot to begin its block; what a call would be named is unknown."""
        self._latest = place
        if delta.text:
            return self._open_item(place, ItemKind.TEXT)
        return self._open_item(place, ItemKind.REASONING) if delta.thinking else []

    def _close(self, told: wire.StreamEvent) -> list[Event]:
        return self._end_block(self._latest if told.index is None else told.index)

    def _end_block(self, place: int) -> list[Event]:
        block = self._blocks.get(place)
        if block is None or block.ended:
            return []
        block.ended = True
        if block.index is None:
            return []
        ended: list[Event] = [ArgumentsDelta(block.index, block.given)] if block.given else []
        return [*ended, ItemEnded(block.index)]

    def _conclude(self, told: wire.StreamEvent) -> list[Event]:
        delta = told.delta or wire.Delta()
        self._reason = delta.stop_reason or self._reason
        self._stop_sequence = delta.stop_sequence or self._stop_sequence
        return [*self._begin(_UNANNOUNCED), *self._count(told.usage)]

    def _stop(self, _told: wire.StreamEvent) -> list[Event]:
        """Without a reason to stop the answer was cut off, whatever is said of its end."""
        return self._finish() if self._reason else self._fail(INTERRUPTED)

    def _finish(self) -> list[Event]:
        events = [event for place in self._blocks for event in self._end_block(place)]
        self._is_over = True
        finish = read_finish(self._reason, has_calls=self._has_calls)
        return [*events, Finished(finish, self._stop_sequence)]

    def _fail(self, failure: Failed) -> list[Event]:
        self._is_over = True
        return [failure]

    def _next_item(self) -> int:
        self._items += 1
        return self._items - 1

    def _next_place(self) -> int:
        return max(self._blocks, default=-1) + 1

    _TAKE: ClassVar[dict[str, Callable[["Reader", Any], list[Event]]]] = {
        "ping": _ping,
        "message_start": _start,
        "content_block_start": _open,
        "content_block_delta": _add,
        "content_block_stop": _close,
        "message_delta": _conclude,
        "message_stop": _stop,
    }


def _said(block: _Block, delta: wire.Delta) -> list[Event]:
    """What a delta adds to a block, as far as it is of the block's kind."""
    index = block.index
    if index is None:
        return []
    if block.kind == "tool_use":
        return [ArgumentsDelta(index, delta.partial_json)] if delta.partial_json else []
    if block.kind == ItemKind.TEXT:
        return [TextDelta(index, delta.text)] if delta.text else []
    events: list[Event] = []
    if delta.thinking:
        events.append(ReasoningDelta(index, delta.thinking))
    if delta.signature:
        events.append(SignatureDelta(index, delta.signature))
    return events
