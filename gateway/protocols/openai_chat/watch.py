"""Watching an OpenAI chat answer go by: what was said, how it ended, what it used.

The bytes themselves are relayed as they came; this only reads them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.errors import UpstreamError
from gateway.protocols import openai_usage, sse, tool_state
from gateway.protocols.canonical import UpstreamProblem, Usage
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Read, Seen
from gateway.protocols.problems import find_problem
from gateway.protocols.renaming import Renaming, renamed

DONE = b"[DONE]"
PATH = ("model",)  # of the model's name in a chunk
DONE_EVENT = b"data: [DONE]\n\n"
ENDED_EARLY = UpstreamProblem("The stream ended before the answer was complete.")
UNSAID = UpstreamProblem("The provider reported an error.")
# Invalid UTF-8 inside a string is no DecodeError of msgspec's.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None
    id: str | None = None
    extra_content: Any = None


class _Said(msgspec.Struct, gc=False):
    """A delta of a stream or the message of a plain answer."""

    content: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    def said(self) -> str:
        """The answer's text alone."""
        content = self.content
        return content if isinstance(content, str) else _text_of_parts(content)

    def besides(self) -> str:
        """Thoughts, refusals and tool calls."""
        if self.tool_calls is None and self.reasoning_content is None and self.reasoning is None:
            return self.refusal or ""
        parts = [self.reasoning_content or self.reasoning, self.refusal]
        for call in self.tool_calls or ():
            if call.function is not None:
                parts += [call.function.name, call.function.arguments]
        return "".join(part for part in parts if part)

    def text(self) -> str:
        return self.said() + self.besides()


def _text_of_parts(content: object) -> str:
    """Some servers answer with a list of parts, as requests may have them."""
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Said | None = None
    message: _Said | None = None
    text: str | None = None  # of legacy completions
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


class _Head(msgspec.Struct, gc=False):
    id: str | None = None
    created: int | None = None


_chunks = msgspec.json.Decoder(_Chunk)
_heads = msgspec.json.Decoder(_Head)
_anything = msgspec.json.Decoder()


class Watcher:
    """Reads the events of one stream in order."""

    def __init__(self, asked_model: str) -> None:
        self._asked = asked_model
        self._renaming = Renaming(asked_model)
        self._started: set[int | None] = set()  # choices, by index
        self._ended: set[int | None] = set()
        self._first = b""  # the first chunk's data
        self._has_calls = False
        self._extras: dict[str, Any] = {}  # of tool calls, by their ids
        self.usage: Usage | None = None
        self.garbage = 0

    @property
    def states(self) -> Mapping[str, bytes]:
        """What a vendor adds to its tool calls: many clients drop what they do not know."""
        return tool_state.of_extras(self._extras)

    @property
    def finished(self) -> bool:
        """Whether every choice that was begun has said why it ended."""
        return bool(self._ended) and self._started <= self._ended

    def see(self, event: bytes) -> Seen:
        data = sse.data_of(event)
        if not data:
            # A comment, or what a cut left of an event.
            return Seen(event if sse.is_comment_only(event) else b"")
        if data.startswith(b"[") and data.strip() == DONE:
            return Seen(DONE_EVENT, is_done=True)
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

    def end(self) -> Seen:
        """Some servers close the connection without a terminator, or without an end."""
        if self.finished:
            return Seen(DONE_EVENT, is_done=True)
        return Seen(b"", problem=ENDED_EARLY, is_interrupted=True)

    def position(self) -> Position | None:
        """Known after the first chunk; tool calls and several choices cannot be gone on with."""
        if not self._first or self._has_calls or self._ended or len(self._started) > 1:
            return None
        head = _heads.decode(self._first)
        return Position(head.id or "", head.created, 1, 0, ItemKind.TEXT)

    def _read(self, event: bytes, chunk: _Chunk, data: bytes) -> Seen:
        if chunk.error or (event.startswith(b"event") and sse.name_of(event) == b"error"):
            return Seen(b"", problem=find_problem(_anything.decode(data)) or UNSAID)
        if chunk.usage is not None:
            self.usage = openai_usage.read(chunk.usage) or self.usage
        if chunk.model is not None and chunk.model != self._asked:
            event = self._renaming.apply(event, data, chunk.model, PATH)
        if not chunk.choices:
            return Seen(event, is_chunk=True, is_usage_only=chunk.usage is not None)
        if not self._first:
            self._first = data
        return self._hear(event, chunk.choices)

    def _hear(self, event: bytes, choices: list[_Choice]) -> Seen:
        said = besides = ""
        is_tool = is_finish = False
        for choice in choices:
            self._started.add(choice.index)
            delta = choice.delta
            if delta is not None:
                said += delta.said()
                besides += delta.besides()
                if delta.tool_calls:
                    is_tool = self._has_calls = True
                    self._extras |= _extras(delta.tool_calls)
            elif choice.text:
                said += choice.text
            if choice.finish_reason is not None:
                self._ended.add(choice.index)
                is_finish = True
        text = said + besides
        # By place, which is quicker than by name, because this is every event's.
        return Seen(event, text, said, True, bool(text), is_tool, is_finish)  # noqa: FBT003


def read_answer(body: bytes, asked_model: str, *, is_chat: bool = True) -> Read:
    """Raises UpstreamError: a success status alone is no success."""
    try:
        chunk = _chunks.decode(body)
    except NOT_JSON as error:
        raise UpstreamError("The provider's answer could not be read.") from error
    choices = chunk.choices or []
    said = [choice.message if is_chat else choice.text for choice in choices]
    if not said or chunk.error or None in said:
        raise UpstreamError("The provider's answer holds no message.")
    if chunk.model is not None:
        body = renamed(body, chunk.model, asked_model, PATH)
    usage = openai_usage.read(chunk.usage)
    calls = [call for m in said if isinstance(m, _Said) for call in m.tool_calls or ()]
    return Read(
        body,
        usage,
        0 if usage else text_tokens("".join(map(_whole, choices))),
        tool_state.of_extras(_extras(calls)),
    )


def _extras(calls: Iterable[_ToolCall]) -> dict[str, Any]:
    return {call.id: call.extra_content for call in calls if call.id and call.extra_content}


def _whole(choice: _Choice) -> str:
    return choice.message.text() if choice.message is not None else choice.text or ""
