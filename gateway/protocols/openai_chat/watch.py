"""Watching an OpenAI chat answer go by: what was said, how it ended, what it used.

The bytes themselves are relayed as they came; this only reads them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.protocols import openai_usage, sse, tool_state
from gateway.protocols.canonical import Usage
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Read, Seen
from gateway.protocols.openai_chat.answer import arguments_text
from gateway.protocols.openai_chat.verdicts import DONE, find_problem, is_complete
from gateway.protocols.problems import ENDED_EARLY, NOT_JSON, no_answer
from gateway.protocols.renaming import Renaming, renamed

PATH = ("model",)  # of the model's name in a chunk
DONE_EVENT = b"data: [DONE]\n\n"


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None
    id: str | None = None
    extra_content: Any = None


class _Said(msgspec.Struct, gc=False):
    """A delta of a stream or the message of a plain answer."""

    content: Any = None
    reasoning_content: str | None = None
    reasoning: Any = None
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
                parts += [call.function.name, arguments_text(call.function.arguments)]
        return "".join(part for part in parts if isinstance(part, str))

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
    id: Any = None
    created: Any = None


_chunks = msgspec.json.Decoder(_Chunk)
_heads = msgspec.json.Decoder(_Head)


class Watcher:
    """Reads the events of one stream in order."""

    def __init__(self, asked_model: str) -> None:
        self._asked = asked_model
        self._renaming = Renaming(asked_model)
        self._started: set[int] = set()  # choices, by index
        self._ended: set[int] = set()
        self._has_content = False
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
            return self._done()
        try:
            chunk = _chunks.decode(data)
        except NOT_JSON:
            return self._misread(event, data)
        return self._read(event, chunk, data)

    def end(self) -> Seen:
        """Some servers close the connection without a terminator, or without an end."""
        return _end(is_complete=self.finished)

    def position(self) -> Position | None:
        """Known after the first chunk; tool calls and several choices cannot be gone on with."""
        if not self._first or self._has_calls or self._ended or len(self._started) > 1:
            return None
        id_, created = _head(self._first)
        return Position(id_, created, 1, 0, ItemKind.TEXT)

    def _done(self) -> Seen:
        """Where one choice has a reason to finish, the others must have theirs."""
        has_content = self._has_content and not self._ended
        return _end(is_complete=is_complete(has_reason=self.finished, has_content=has_content))

    def _misread(self, event: bytes, data: bytes) -> Seen:
        if (problem := find_problem(event, data)) is not None:
            return Seen(b"", problem=problem)
        self.garbage += 1
        return Seen(event, is_garbage=True)

    def _read(self, event: bytes, chunk: _Chunk, data: bytes) -> Seen:
        if chunk.error or not chunk.choices:
            problem = find_problem(event, data)
            if problem is not None:
                return Seen(b"", problem=problem)
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
            index = choice.index or 0
            self._started.add(index)
            delta = choice.delta
            if delta is not None:
                said += delta.said()
                besides += delta.besides()
                if delta.tool_calls:
                    is_tool = self._has_calls = True
                    self._extras |= _extras(delta.tool_calls)
            elif choice.text:
                said += choice.text
            if choice.finish_reason:
                self._ended.add(index)
                is_finish = True
        text = said + besides
        if text:
            self._has_content = True
        # By place, which is quicker than by name, because this is every event's.
        return Seen(event, text, said, True, bool(text), is_tool, is_finish)  # noqa: FBT003


def read_answer(body: bytes, asked_model: str, *, is_chat: bool = True) -> Read:
    """Raises UpstreamError: a success status alone is no success."""
    try:
        chunk = _chunks.decode(body)
    except NOT_JSON as error:
        raise no_answer(body, "The provider's answer could not be read.") from error
    choices = chunk.choices or []
    said = [choice.message if is_chat else choice.text for choice in choices]
    if not said or chunk.error or None in said:
        raise no_answer(body, "The provider's answer holds no message.")
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


def _end(*, is_complete: bool) -> Seen:
    if is_complete:
        return Seen(DONE_EVENT, is_done=True)
    return Seen(b"", problem=ENDED_EARLY, is_interrupted=True)


def _head(data: bytes) -> tuple[str, int | None]:
    """Id and time of the first chunk; some servers write numbers of their own kind."""
    try:
        head = _heads.decode(data)
    except NOT_JSON:
        return "", None
    id_ = str(head.id) if isinstance(head.id, str | int) else ""
    return id_, int(head.created) if isinstance(head.created, int | float) else None


def _extras(calls: Iterable[_ToolCall]) -> dict[str, Any]:
    return {call.id: call.extra_content for call in calls if call.id and call.extra_content}


def _whole(choice: _Choice) -> str:
    return choice.message.text() if choice.message is not None else choice.text or ""
