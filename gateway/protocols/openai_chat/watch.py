"""Watching an OpenAI chat answer go by: what was said, how it ended, what it used.

The bytes themselves are relayed as they came; this only reads them.
"""

import msgspec

from gateway.protocols import sse
from gateway.protocols.estimate import text_tokens

DONE = b"[DONE]"


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class WireUsage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _OutputDetails | None = None

    def quantities(self) -> list[tuple[str, str, int]]:
        """Disjoint quantities: cached and audio tokens are taken out of what includes them."""
        prompt, output = self.prompt_tokens_details, self.completion_tokens_details
        cached = (prompt.cached_tokens or 0) if prompt is not None else 0
        audio_in = (prompt.audio_tokens or 0) if prompt is not None else 0
        reasoning = (output.reasoning_tokens or 0) if output is not None else 0
        audio_out = (output.audio_tokens or 0) if output is not None else 0
        found = [
            ("input", "", max(0, self.prompt_tokens - cached - audio_in)),
            ("output", "", max(0, self.completion_tokens - reasoning - audio_out)),
        ]
        for dimension, quantity in (
            ("cached_input", cached),
            ("audio_input", audio_in),
            ("reasoning", reasoning),
            ("audio_output", audio_out),
        ):
            if quantity:
                found.append((dimension, "", quantity))
        return found


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Said(msgspec.Struct):
    """A delta of a stream or the message of a plain answer."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    def text(self) -> str:
        parts = [self.content, self.reasoning_content or self.reasoning, self.refusal]
        for call in self.tool_calls or ():
            if call.function is not None:
                parts += [call.function.name, call.function.arguments]
        return "".join(part for part in parts if part)


class _Choice(msgspec.Struct):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw | None = None


_chunks = msgspec.json.Decoder(_Chunk)


class Seen(msgspec.Struct):
    """One event of a stream, as far as the relay must know it."""

    event: bytes
    text: str = ""
    is_content: bool = False
    is_finish: bool = False
    is_usage_only: bool = False
    is_done: bool = False
    is_garbage: bool = False
    error: bytes | None = None


class Watcher:
    """Reads the events of one stream in order."""

    def __init__(self, asked_model: str) -> None:
        self._asked = asked_model
        self._swap: tuple[bytes, bytes] | None = None
        self._named: str | None = None
        self.usage: list[tuple[str, str, int]] | None = None
        self.finished = False
        self.garbage = 0

    def see(self, event: bytes) -> Seen:
        data = sse.data_of(event)
        if not data:
            return Seen(event)
        if data == DONE:
            return Seen(event, is_done=True)
        try:
            chunk = _chunks.decode(data)
        except msgspec.ValidationError:
            return Seen(event, is_content=True)  # JSON of a shape we do not know: not ours to drop
        except (msgspec.DecodeError, RecursionError):
            self.garbage += 1
            return Seen(event, is_garbage=True)
        return self._read(event, chunk)

    def _read(self, event: bytes, chunk: _Chunk) -> Seen:
        if chunk.error is not None and bytes(chunk.error) != b"null":
            return Seen(event, error=bytes(chunk.error))
        if chunk.usage is not None:
            self.usage = chunk.usage.quantities()
        if chunk.model is not None and chunk.model != self._asked:
            event = self._renamed(event, chunk.model)
        if not chunk.choices:
            return Seen(event, is_usage_only=chunk.usage is not None)
        text, finished = "", False
        for choice in chunk.choices:
            if choice.delta is not None:
                text += choice.delta.text()
            finished = finished or choice.finish_reason is not None
        self.finished = self.finished or finished
        return Seen(event, text=text, is_content=bool(text), is_finish=finished)

    def _renamed(self, event: bytes, model: str) -> bytes:
        if self._named != model:
            self._named = model
            self._swap = swap_of(event, model, self._asked)
        return event.replace(*self._swap, 1) if self._swap else event


def swap_of(document: bytes, model: str, asked: str) -> tuple[bytes, bytes] | None:
    """The ``"model": …`` member to look for and what takes its place."""
    for separator in (b":", b": "):
        member = b'"model"' + separator
        old = member + msgspec.json.encode(model)
        if old in document:
            return old, member + msgspec.json.encode(asked)
    return None


class Answer(msgspec.Struct):
    """A plain answer: its bytes under the asked name, its usage if it was reported."""

    body: bytes
    usage: list[tuple[str, str, int]] | None
    output_estimate: int


def read_answer(body: bytes, asked_model: str) -> Answer | None:
    """None if the body is not a chat answer: a success status alone is no success."""
    try:
        chunk = _chunks.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not chunk.choices or chunk.error is not None:
        return None
    if chunk.model is not None and chunk.model != asked_model:
        swap = swap_of(body, chunk.model, asked_model)
        body = body.replace(*swap, 1) if swap else body
    said = "".join(choice.message.text() for choice in chunk.choices if choice.message)
    usage = chunk.usage.quantities() if chunk.usage is not None else None
    return Answer(body, usage, text_tokens(said) if usage is None else 0)
