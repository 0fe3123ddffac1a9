"""Watching an Anthropic answer go by: what was said, how it ended, what it used.

The bytes themselves are relayed as they came; this only reads them.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from gateway.protocols import sse
from gateway.protocols.anthropic_messages import usage as usage_codec
from gateway.protocols.anthropic_messages.framing import data_of
from gateway.protocols.anthropic_messages.verdicts import find_problem, named
from gateway.protocols.canonical import Json, Usage
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Read, Seen
from gateway.protocols.problems import ENDED_EARLY, NOT_JSON, no_answer
from gateway.protocols.renaming import Renaming, renamed

STOP_EVENT = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_KINDS = {"text": ItemKind.TEXT, "thinking": ItemKind.REASONING}


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    input: Any = None


class _Head(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int | None = None
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Head | None = None
    usage: Any = None
    error: Any = None


class _Answer(msgspec.Struct, gc=False):
    type: str
    content: list[_Block]
    model: str | None = None
    usage: Any = None
    error: Any = None


_events = msgspec.json.Decoder(_Event)
_answers = msgspec.json.Decoder(_Answer)


class Watcher:
    """Reads the events of one stream in order."""

    def __init__(self, asked_model: str) -> None:
        self._renaming = Renaming(asked_model)
        self._numbers: Json = {}
        self._id: str | None = None
        self._blocks = 0
        self._open: tuple[int, ItemKind] | None = None
        self._has_calls = False
        self.finished = False
        self.garbage = 0

    @property
    def usage(self) -> Usage | None:
        """Known at the end: what the beginning says of the output is not meant."""
        return usage_codec.read(self._numbers) if self.finished else None

    @property
    def states(self) -> Mapping[str, bytes]:
        """A vendor's own dialect carries everything by itself."""
        return {}

    def see(self, event: bytes) -> Seen:
        data = data_of(event)
        if not data:
            # A comment, or what a cut left of an event.
            return Seen(event if sse.is_comment_only(event) else b"")
        try:
            decoded = _events.decode(data)
        except NOT_JSON:
            return self._misread(event, data)
        return self._read(event, decoded, data)

    def end(self) -> Seen:
        """Some servers close the connection without the last event, or without an end."""
        if self.finished:
            return Seen(STOP_EVENT, is_done=True)
        return Seen(b"", problem=ENDED_EARLY, is_interrupted=True)

    def position(self) -> Position | None:
        """Tool calls cannot be gone on with."""
        if self._id is None or self._has_calls or self.finished:
            return None
        index, kind = self._open or (None, None)
        return Position(self._id, None, self._blocks, index, kind)

    def _misread(self, event: bytes, data: bytes) -> Seen:
        if (problem := find_problem(event, data)) is not None:
            return Seen(b"", problem=problem)
        self.garbage += 1
        return Seen(event, is_garbage=True)

    def _read(self, event: bytes, decoded: _Event, data: bytes) -> Seen:
        if decoded.error:
            return self._pass(event, data)
        type_ = decoded.type or named(event)
        match type_:
            case "content_block_delta":
                return _delta(event, decoded.delta or _Delta())
            case "message_start":
                return self._begin(event, data, decoded.message or _Head())
        read = self._READ.get(type_)
        return self._pass(event, data) if read is None else read(self, event, decoded)

    def _pass(self, event: bytes, data: bytes) -> Seen:
        """A type that is new to us is the client's to understand, unless it is an error."""
        problem = find_problem(event, data)
        return Seen(event) if problem is None else Seen(b"", problem=problem)

    def _begin(self, event: bytes, data: bytes, head: _Head) -> Seen:
        self._id = head.id or ""
        self._numbers = usage_codec.merge(self._numbers, head.usage)
        if head.model is not None:
            event = self._renaming.apply(event, data, head.model, ("message", "model"))
        return Seen(event, is_chunk=True)

    def _start(self, event: bytes, decoded: _Event) -> Seen:
        block = decoded.content_block or _Block()
        self._blocks += 1
        kind = _KINDS.get(block.type)
        index = self._blocks - 1 if decoded.index is None else decoded.index
        self._open = (index, kind) if kind is not None else None
        if kind is not None:
            said = block.text or ""
            text = said + (block.thinking or "")
            return Seen(event, text, said, is_content=bool(text))
        self._has_calls = True  # or something else that only this vendor can go on with
        return Seen(event, block.name or "", is_content=True, is_tool=True)

    def _close(self, event: bytes, _decoded: _Event) -> Seen:
        self._open = None
        return Seen(event)

    def _finish(self, event: bytes, decoded: _Event) -> Seen:
        self._numbers = usage_codec.merge(self._numbers, decoded.usage)
        if decoded.delta is not None and decoded.delta.stop_reason:
            self.finished = True
        return Seen(event, is_finish=self.finished)

    def _stop(self, event: bytes, _decoded: _Event) -> Seen:
        """Without a reason to stop the answer was cut off, whatever is said of its end."""
        if self.finished:
            return Seen(event, is_done=True)
        return Seen(b"", problem=ENDED_EARLY, is_interrupted=True)

    _READ: ClassVar[dict[str, Callable[["Watcher", bytes, _Event], Seen]]] = {
        "content_block_start": _start,
        "content_block_stop": _close,
        "message_delta": _finish,
        "message_stop": _stop,
    }


def _delta(event: bytes, delta: _Delta) -> Seen:
    if delta.text is not None:
        return Seen(event, delta.text, delta.text, is_content=bool(delta.text))
    text = delta.thinking or delta.partial_json or ""
    return Seen(event, text, is_content=bool(text), is_tool=delta.partial_json is not None)


def read_answer(body: bytes, asked_model: str) -> Read:
    """Raises UpstreamError: a success status alone is no success."""
    try:
        answer = _answers.decode(body)
    except NOT_JSON as error:
        raise no_answer(body, "The provider's answer could not be read.") from error
    if answer.type != "message" or answer.error:
        raise no_answer(body, "The provider's answer holds no message.")
    if answer.model is not None:
        body = renamed(body, answer.model, asked_model, ("model",))
    usage = usage_codec.read(answer.usage)
    written = "" if usage else "".join(map(_written, answer.content))
    return Read(body, usage, text_tokens(written))


def _written(block: _Block) -> str:
    given = "" if block.input is None else msgspec.json.encode(block.input).decode()
    return (block.text or "") + (block.thinking or "") + (block.name or "") + given
