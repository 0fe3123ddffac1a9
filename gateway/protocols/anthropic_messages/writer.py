"""Writing canonical events as an Anthropic messages stream."""

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from gateway.errors import UpstreamError, UpstreamInterruptedError
from gateway.protocols import sse
from gateway.protocols.anthropic_messages import signatures, usage
from gateway.protocols.anthropic_messages.answer import answer_id, tool_use, write_finish
from gateway.protocols.canonical import Json, ToolCall, Usage
from gateway.protocols.errors import anthropic_error_event, clean
from gateway.protocols.estimate import text_tokens
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

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_NO_INPUT = msgspec.Raw(b"{}")

_encode = msgspec.json.encode


class _Block:
    """A block on its way: written at once while it is its turn, kept until then."""

    __slots__ = ("begin", "ended", "kept", "place", "signer")

    def __init__(self, begin: Json | None) -> None:
        self.begin = begin  # None: it was begun before
        self.place: int | None = None  # in the stream, once it is its turn
        self.kept: list[bytes] = []  # deltas
        self.ended = False
        self.signer: signatures.Signer | None = None  # while thoughts lack a signature


class Writer:
    """Writes one stream under the name of the model that the client asked for.

    Blocks are written strictly one after the other, each whole: what begins while another
    is open waits for it to end. An event may become no bytes at all, or several events.
    ``input_tokens`` is what the prompt is thought to be before the vendor has counted. With a
    ``position``, the stream was begun by another writer and goes on from there.
    """

    def __init__(
        self,
        model: str,
        *,
        include_usage: bool = True,
        input_tokens: int = 0,
        position: Position | None = None,
    ) -> None:
        # Under which the client knows the stream.
        self.id = position.id if position else ""
        self.created: int | None = None
        self._model = model
        self._include_usage = include_usage
        self._input_tokens = input_tokens
        self._is_started = position is not None
        self._next = position.next_index if position else 0
        self._blocks: dict[int, _Block] = {}  # by index among the items
        self._queue: deque[_Block] = deque()  # the first is the one that is open
        self._inherited: _Block | None = None  # what another writer left open
        self._inherited_kind: ItemKind | None = None
        self._refused = False
        self._said: list[str] = []  # for an estimate, until the vendor counts
        self._usage: Usage | None = None
        if position is not None and position.open_index is not None:
            self._inherit(position.open_index, position.open_kind)

    def write(self, event: Event) -> bytes:
        write = self._WRITE.get(type(event))
        return b"" if write is None else write(self, event)

    def _inherit(self, place: int, kind: ItemKind | None) -> None:
        block = self._inherited = _Block(None)
        block.place = place
        if kind is ItemKind.REASONING:
            block.signer = signatures.Signer()
        self._inherited_kind = ItemKind.TEXT if kind is ItemKind.REFUSAL else kind
        self._blocks[place] = block
        self._queue.append(block)

    def _get(self, index: int) -> _Block:
        """The block of an item; that which was left open goes on once it is spoken of."""
        block = self._blocks[index]
        if block is self._inherited:
            self._inherited = None
        return block

    def _go_on(self, kind: ItemKind | None) -> _Block | None:
        """The block that was left open, if this is more of it; otherwise that block is over."""
        block, self._inherited = self._inherited, None
        if block is None or (kind is not None and kind is self._inherited_kind):
            return block
        block.ended = True
        return None

    def _start(self, event: Started) -> bytes:
        if self._is_started:
            return b""
        self._is_started = True
        self.id, self.created = answer_id(event.id), event.created
        message: Json = {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage.write([("input", "", self._input_tokens)]),
        }
        return _event("message_start", {"message": message}) + _PING

    def _item(self, event: ItemStarted) -> bytes:
        """What is refused is said in a block of text: the reason to stop tells it apart."""
        if event.redacted is not None:
            begin = {"type": "redacted_thinking", "data": event.redacted}
            return self._begin(event.index, None, _Block(begin))
        if event.kind is ItemKind.REASONING:
            block = _Block({"type": "thinking", "thinking": "", "signature": ""})
            block.signer = signatures.Signer()
            return self._begin(event.index, event.kind, block)
        self._refused = self._refused or event.kind is ItemKind.REFUSAL
        return self._begin(event.index, ItemKind.TEXT, _Block({"type": "text", "text": ""}))

    def _tool(self, event: ToolCallStarted) -> bytes:
        begin = tool_use(ToolCall(event.id, event.name, ""), _NO_INPUT)
        return self._begin(event.index, None, _Block(begin))

    def _begin(self, index: int, kind: ItemKind | None, block: _Block) -> bytes:
        goes_on = self._go_on(kind)
        if goes_on is not None:
            self._blocks[index] = goes_on
            return b""
        self._blocks[index] = block
        self._queue.append(block)
        return self._advance()

    def _advance(self) -> bytes:
        """End what is over and begin what waited for it."""
        written: list[bytes] = []
        while self._queue:
            block = self._queue[0]
            if block.place is None:
                block.place, self._next = self._next, self._next + 1
                start = {"index": block.place, "content_block": block.begin}
                written.append(_event("content_block_start", start))
                written += [_delta(block.place, delta) for delta in block.kept]
            if not block.ended:
                break
            if block.signer is not None:
                signature = _encode(block.signer.signature())
                written.append(_delta(block.place, _SIGNATURE % signature))
            written.append(_event("content_block_stop", {"index": block.place}))
            self._queue.popleft()
        return b"".join(written)

    def _text(self, event: TextDelta | RefusalDelta) -> bytes:
        return self._add(event.index, event.text, _TEXT)

    def _thoughts(self, event: ReasoningDelta) -> bytes:
        signer = self._get(event.index).signer
        if signer is not None:
            signer.add(event.text)
        return self._add(event.index, event.text, _THINKING)

    def _arguments(self, event: ArgumentsDelta) -> bytes:
        return self._add(event.index, event.text, _INPUT)

    def _signature(self, event: SignatureDelta) -> bytes:
        self._get(event.index).signer = None
        return self._put(event.index, _SIGNATURE % _encode(event.signature))

    def _add(self, index: int, text: str, form: bytes) -> bytes:
        if self._usage is None:
            self._said.append(text)
        return self._put(index, form % _encode(text))

    def _put(self, index: int, delta: bytes) -> bytes:
        block = self._get(index)
        if block.place is not None:
            return _delta(block.place, delta)
        block.kept.append(delta)
        return b""

    def _end(self, event: ItemEnded) -> bytes:
        self._get(event.index).ended = True
        return self._advance()

    def _keep(self, event: UsageReported) -> bytes:
        self._usage = event.usage
        return b""

    def _ping(self, _event: Pinged) -> bytes:
        return _PING if self._is_started else sse.HEARTBEAT

    def _finish(self, event: Finished) -> bytes:
        for block in self._queue:
            block.ended = True
        closed = self._advance()
        delta = {
            "stop_reason": write_finish(event.finish, refused=self._refused),
            "stop_sequence": event.stop_sequence,
        }
        counted = usage.write(self._usage or self._estimate())
        if not self._include_usage:
            counted = {"output_tokens": counted["output_tokens"]}
        return closed + _event("message_delta", {"delta": delta, "usage": counted}) + _STOP

    def _estimate(self) -> Usage:
        output = text_tokens("".join(self._said))
        return [("input", "", self._input_tokens), ("output", "", output)]

    def _fail(self, event: Failed) -> bytes:
        if event.interrupted:
            return anthropic_error_event(UpstreamInterruptedError())
        return anthropic_error_event(UpstreamError(clean(event.problem.message)))

    _WRITE: ClassVar[dict[type, Callable[["Writer", Any], bytes]]] = {
        Started: _start,
        ItemStarted: _item,
        ToolCallStarted: _tool,
        TextDelta: _text,
        ReasoningDelta: _thoughts,
        RefusalDelta: _text,
        SignatureDelta: _signature,
        ArgumentsDelta: _arguments,
        ItemEnded: _end,
        UsageReported: _keep,
        Pinged: _ping,
        Finished: _finish,
        Failed: _fail,
    }


_TEXT = b'{"type":"text_delta","text":%b}'
_THINKING = b'{"type":"thinking_delta","thinking":%b}'
_INPUT = b'{"type":"input_json_delta","partial_json":%b}'
_SIGNATURE = b'{"type":"signature_delta","signature":%b}'

_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
)


def _event(kind: str, fields: Json) -> bytes:
    return sse.frame(_encode({"type": kind, **fields}), kind)


def _delta(place: int, delta: bytes) -> bytes:
    return _DELTA % (place, delta)
