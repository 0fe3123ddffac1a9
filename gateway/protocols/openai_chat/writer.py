"""Writing canonical events as an OpenAI chat stream."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from gateway import clock
from gateway.errors import UpstreamError, UpstreamInterruptedError
from gateway.protocols import openai_usage, sse
from gateway.protocols.canonical import Usage
from gateway.protocols.errors import clean, openai_error_event
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import (
    ArgumentsDelta,
    Event,
    Failed,
    Finished,
    ItemEnded,
    Pinged,
    Position,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from gateway.protocols.openai_chat.answer import answer_id, write_finish

_DONE = b"data: [DONE]\n\n"
_NOT_FINISHED = b',"logprobs":null,"finish_reason":null}]}\n\n'

_encode = msgspec.json.encode


class Writer:
    """Writes one stream under the name of the model that the client asked for.

    An event may become no bytes at all, or several chunks.
    """

    def __init__(
        self,
        model: str,
        *,
        include_usage: bool = False,
        input_tokens: int = 0,
        position: Position | None = None,
    ) -> None:
        # Under which the client knows the stream.
        self.id = ""
        self.created: int | None = None
        self._model = model
        self._include_usage = include_usage
        self._input_tokens = input_tokens
        self._said: list[str] = []  # for an estimate, should the vendor not count
        self._head = self._before_delta = b""
        if position is not None:
            self._go_under(position.id, position.created)
        self._tools: dict[int, int] = {}  # place among the calls by index among the items
        self._without_arguments: set[int] = set()
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        write = self._WRITE.get(type(event))
        return b"" if write is None else write(self, event)

    def _go_under(self, id_: str, created: int | None) -> None:
        """What every chunk begins with, and those that have a delta up to it."""
        self.id = id_
        self.created = created or clock.now_ms() // 1000
        head = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self._model,
        }
        self._head = b"data: " + _encode(head)[:-1]
        self._before_delta = self._head + b',"choices":[{"index":0,"delta":'

    def _start(self, event: Started) -> bytes:
        self._go_under(answer_id(event.id), event.created)
        return self._delta(b'{"role":"assistant","content":""}')

    def _text(self, event: TextDelta) -> bytes:
        self._said.append(event.text)
        return self._delta(b'{"content":%b}' % _encode(event.text))

    def _thoughts(self, event: ReasoningDelta) -> bytes:
        self._said.append(event.text)
        return self._delta(b'{"reasoning_content":%b}' % _encode(event.text))

    def _refusal(self, event: RefusalDelta) -> bytes:
        self._said.append(event.text)
        return self._delta(b'{"refusal":%b}' % _encode(event.text))

    def _tool(self, event: ToolCallStarted) -> bytes:
        place = self._tools[event.index] = len(self._tools)
        self._without_arguments.add(event.index)
        self._said.append(event.name)
        call: dict[str, Any] = {
            "index": place,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        if event.extra_content is not None:
            call["extra_content"] = event.extra_content
        return self._delta(b'{"tool_calls":[%b]}' % _encode(call))

    def _arguments(self, event: ArgumentsDelta) -> bytes:
        self._without_arguments.discard(event.index)
        self._said.append(event.text)
        call = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
        return self._delta(call % (self._tools[event.index], _encode(event.text)))

    def _end(self, event: ItemEnded) -> bytes:
        """A call without arguments gets the empty ones that clients can parse."""
        if event.index in self._without_arguments:
            return self._arguments(ArgumentsDelta(event.index, "{}"))
        return b""

    def _keep(self, event: UsageReported) -> bytes:
        self._usage = event.usage
        return b""

    def _ping(self, _event: Pinged) -> bytes:
        return sse.HEARTBEAT

    def _finish(self, event: Finished) -> bytes:
        ending = b',"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":%b}]}\n\n'
        chunks = [self._head, ending % _encode(write_finish(event.finish))]
        if self._include_usage:
            usage = _encode(openai_usage.write(self._usage or self._estimate()))
            chunks += [self._head, b',"choices":[],"usage":', usage, b"}\n\n"]
        return b"".join([*chunks, _DONE])

    def _estimate(self) -> Usage:
        output = text_tokens("".join(self._said))
        return [("input", "", self._input_tokens), ("output", "", output)]

    def _delta(self, delta: bytes) -> bytes:
        return self._before_delta + delta + _NOT_FINISHED

    def _fail(self, event: Failed) -> bytes:
        if event.interrupted:
            return openai_error_event(UpstreamInterruptedError())
        return openai_error_event(UpstreamError(clean(event.problem.message)))

    _WRITE: ClassVar[dict[type, Callable[["Writer", Any], bytes]]] = {
        Started: _start,
        TextDelta: _text,
        ReasoningDelta: _thoughts,
        RefusalDelta: _refusal,
        ToolCallStarted: _tool,
        ArgumentsDelta: _arguments,
        ItemEnded: _end,
        UsageReported: _keep,
        Pinged: _ping,
        Finished: _finish,
        Failed: _fail,
    }
