"""Watching an OpenAI chat answer go by: what was said, how it ended, what it used.

The bytes themselves are relayed as they came; this only reads them.
"""

from typing import Any

import msgspec

from gateway.protocols import openai_usage, sse
from gateway.protocols.canonical import Usage
from gateway.protocols.cleaning import clean
from gateway.protocols.estimate import text_tokens

DONE = b"[DONE]"
# Invalid UTF-8 inside a string is no DecodeError of msgspec's.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Said(msgspec.Struct):
    """A delta of a stream or the message of a plain answer."""

    content: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    def text(self) -> str:
        content = self.content
        if content is not None and not isinstance(content, str):
            content = _text_of_parts(content)
        if self.tool_calls is None and self.reasoning_content is None and self.reasoning is None:
            return (content or "") + (self.refusal or "")
        parts = [content, self.reasoning_content or self.reasoning, self.refusal]
        for call in self.tool_calls or ():
            if call.function is not None:
                parts += [call.function.name, call.function.arguments]
        return "".join(part for part in parts if part)


def _text_of_parts(content: object) -> str:
    """Some servers answer with a list of parts, as requests may have them."""
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_chunks = msgspec.json.Decoder(_Chunk)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Seen(msgspec.Struct):
    """One event of a stream, as far as the relay must know it."""

    event: bytes
    text: str = ""
    is_chunk: bool = False
    is_content: bool = False
    is_finish: bool = False
    is_usage_only: bool = False
    is_done: bool = False
    is_garbage: bool = False
    error: bytes | None = None

    @property
    def reason(self) -> str:
        """The error for our own records: printable, and without keys."""
        return clean((self.error or b"").decode(errors="replace"))


class Watcher:
    """Reads the events of one stream in order."""

    def __init__(self, asked_model: str) -> None:
        self._asked = asked_model
        self._swap: tuple[bytes, bytes] | None = None
        self._named: str | None = None
        self._started: set[int | None] = set()  # choices, by index
        self._ended: set[int | None] = set()
        self.usage: Usage | None = None
        self.garbage = 0

    @property
    def finished(self) -> bool:
        """Whether every choice that was begun has said why it ended."""
        return bool(self._ended) and self._started <= self._ended

    def see(self, event: bytes) -> Seen:
        data = sse.data_of(event)
        if not data:
            return Seen(event)
        if data.startswith(b"[") and data.strip() == DONE:
            return Seen(event, is_done=True)
        try:
            return self._read(event, _chunks.decode(data), data)
        except msgspec.ValidationError:
            if data.lstrip().startswith(b"{"):
                # Of a shape we do not know: not ours to drop.
                return Seen(event, is_chunk=True, is_content=True)
        except NOT_JSON:
            pass
        self.garbage += 1
        return Seen(event, is_garbage=True)

    def _read(self, event: bytes, chunk: _Chunk, data: bytes) -> Seen:
        if chunk.error or (event.startswith(b"event") and sse.name_of(event) == b"error"):
            return Seen(event, error=data)
        if chunk.usage is not None:
            self.usage = openai_usage.read(chunk.usage) or self.usage
        if chunk.model is not None and chunk.model != self._asked:
            event = self._renamed(event, data, chunk.model)
        if not chunk.choices:
            return Seen(event, is_chunk=True, is_usage_only=chunk.usage is not None)
        text, finished = "", False
        for choice in chunk.choices:
            if choice.delta is not None:
                text += choice.delta.text()
            self._started.add(choice.index)
            if choice.finish_reason is not None:
                self._ended.add(choice.index)
                finished = True
        return Seen(event, text, is_chunk=True, is_content=bool(text), is_finish=finished)

    def _renamed(self, event: bytes, data: bytes, model: str) -> bytes:
        if self._named != model:
            self._named = model
            self._swap = swap_of(event, model, self._asked)
        if self._swap is not None and self._swap[0] in event:
            return event.replace(*self._swap)
        name = sse.name_of(event)
        return sse.frame(rebuilt(data, self._asked), name.decode() if name else None)


def swap_of(document: bytes, model: str, asked: str) -> tuple[bytes, bytes] | None:
    """The ``"model": …`` member to look for and what takes its place."""
    for separator in (b":", b": "):
        member = b'"model"' + separator
        old = member + msgspec.json.encode(model)
        if old in document:
            return old, member + msgspec.json.encode(asked)
    return None


def rebuilt(document: bytes, asked: str) -> bytes:
    """For those who write the member in a way of their own, with escapes or more spaces."""
    return msgspec.json.encode({**_fields.decode(document), "model": asked})


class Answer(msgspec.Struct):
    """A plain answer: its bytes under the asked name, its usage if it was reported."""

    body: bytes
    usage: Usage | None
    output_estimate: int


def read_answer(body: bytes, asked_model: str) -> Answer | None:
    """None if the body is not a chat answer: a success status alone is no success."""
    try:
        chunk = _chunks.decode(body)
    except NOT_JSON:
        return None
    if not chunk.choices or chunk.error or any(c.message is None for c in chunk.choices):
        return None
    if chunk.model is not None and chunk.model != asked_model:
        swap = swap_of(body, chunk.model, asked_model)
        body = body.replace(*swap) if swap else rebuilt(body, asked_model)
    usage = openai_usage.read(chunk.usage)
    said = "" if usage else "".join(c.message.text() for c in chunk.choices if c.message)
    return Answer(body, usage, text_tokens(said))
