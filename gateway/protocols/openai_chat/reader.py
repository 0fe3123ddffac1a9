"""Reading an OpenAI chat stream: what each of its events says, in canonical events."""

import msgspec

from gateway import ids
from gateway.protocols import openai_usage, sse
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
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from gateway.protocols.openai_chat import wire
from gateway.protocols.openai_chat.answer import arguments_text, first_choice, read_finish
from gateway.protocols.openai_chat.verdicts import DONE, find_problem, is_complete
from gateway.protocols.problems import ENDED_EARLY, NOT_JSON

INTERRUPTED = Failed(ENDED_EARLY, interrupted=True)

_replies = msgspec.json.Decoder(wire.Reply)
_anything = msgspec.json.Decoder()

_DELTAS: dict[ItemKind, type[TextDelta | ReasoningDelta | RefusalDelta]] = {
    ItemKind.TEXT: TextDelta,
    ItemKind.REASONING: ReasoningDelta,
    ItemKind.REFUSAL: RefusalDelta,
}


class _Tool:
    """A tool call as it comes in."""

    __slots__ = ("ended", "extra_content", "id", "index", "name", "pieces")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []  # of the arguments
        self.extra_content: Json | None = None
        self.index: int | None = None  # of the item, once id and name are known
        self.ended = False

    def is_complete(self) -> bool:
        """Whether its arguments are a whole JSON object, so that no more is to come."""
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            _anything.decode("".join(self.pieces))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


class Reader:
    """Reads the events of one stream in order; ``end`` is called when the bytes are over.

    Nothing follows Finished or Failed. ``skipped`` counts what could not be understood.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._is_started = False
        self._is_over = False
        self._items = 0
        self._open: tuple[ItemKind, int] | None = None
        self._tools: list[_Tool] = []
        self._by_place: dict[int, _Tool] = {}
        self._reason: str | None = None
        self._stop_reason: object = None

    def read(self, event: bytes) -> list[Event]:
        if self._is_over:
            return []
        data = sse.data_of(event)
        if not data:
            return [Pinged()] if event.strip() and sse.is_comment_only(event) else []
        if data.strip() == DONE:
            is_whole = is_complete(has_reason=bool(self._reason), has_content=self._items > 0)
            return self._finish() if is_whole else self._fail(INTERRUPTED)
        return self._read(event, data)

    def end(self) -> list[Event]:
        """The connection is closed: complete if a reason to finish was given, else broken."""
        if self._is_over:
            return []
        return self._finish() if self._reason else self._fail(INTERRUPTED)

    def _read(self, event: bytes, data: bytes) -> list[Event]:
        try:
            reply = _replies.decode(data)
        except NOT_JSON:
            return self._misread(event, data)
        if reply.error or not reply.choices:
            problem = find_problem(event, data)
            if problem is not None:
                return self._fail(Failed(problem))
        if (
            self._open is not None
            and self._open[0] is ItemKind.TEXT
            and (text := _only_text(reply))
        ):
            return [TextDelta(self._open[1], text)]
        return self._take(reply)

    def _misread(self, event: bytes, data: bytes) -> list[Event]:
        problem = find_problem(event, data)
        if problem is not None:
            return self._fail(Failed(problem))
        self.skipped += 1
        return []

    def _take(self, reply: wire.Reply) -> list[Event]:
        events: list[Event] = []
        choice = first_choice(reply)
        if not self._is_started and (reply.id or choice):
            self._is_started = True
            created = int(reply.created) if reply.created else None
            events.append(Started(str(reply.id or ""), reply.model or "", created))
        if choice is not None:
            said = choice.delta or choice.message
            if said is not None:
                self._hear(said, events)
            if choice.finish_reason:
                self._reason = choice.finish_reason
                self._stop_reason = choice.stop_reason
                self._end_items(events)
        usage = openai_usage.read(reply.usage) if reply.usage else None
        if usage is not None:
            events.append(UsageReported(usage))
        return events

    def _hear(self, said: wire.Said, events: list[Event]) -> None:
        if thoughts := said.thoughts():
            self._say(ItemKind.REASONING, thoughts, events)
        if text := said.text():
            self._say(ItemKind.TEXT, text, events)
        if refusal := said.refused():
            self._say(ItemKind.REFUSAL, refusal, events)
        for call in said.calls():
            self._call(call, events)

    def _say(self, kind: ItemKind, text: str, events: list[Event]) -> None:
        if self._open is None or self._open[0] is not kind:
            self._end_text(events)
            # A call whose arguments are not whole yet may go on after these words.
            for tool in self._tools:
                if tool.is_complete():
                    self._end_tool(tool, events)
            self._open = (kind, self._next())
            events.append(ItemStarted(self._open[1], kind))
        events.append(_DELTAS[kind](self._open[1], text))

    def _call(self, call: wire.SaidToolCall, events: list[Event]) -> None:
        tool = self._find_tool(call)
        function = call.function or wire.SaidFunction()
        tool.id = tool.id or call.id or ""
        tool.name = tool.name or function.name or ""
        tool.extra_content = tool.extra_content or call.extra_content
        arguments = arguments_text(function.arguments)
        if tool.ended:
            self.skipped += bool(arguments.strip())
            return
        tool.pieces.append(arguments)
        if tool.index is not None:
            if arguments:
                events.append(ArgumentsDelta(tool.index, arguments))
        elif tool.name:
            self._start(tool, events)

    def _start(self, tool: _Tool, events: list[Event]) -> None:
        self._end_text(events)
        tool.index = self._next()
        tool.id = tool.id or ids.new("call")
        events.append(ToolCallStarted(tool.index, tool.id, tool.name, tool.extra_content))
        if arguments := "".join(tool.pieces):
            events.append(ArgumentsDelta(tool.index, arguments))

    def _find_tool(self, call: wire.SaidToolCall) -> _Tool:
        """By place, else by id, else the latest: not every server numbers its calls."""
        if call.index is not None:
            known = self._by_place.get(call.index)
        elif call.id:
            known = next((tool for tool in self._tools if tool.id == call.id), None)
        else:
            known = self._tools[-1] if self._tools else None
        if known is None or _is_another(call, known):
            known = _Tool()
            place = len(self._tools) if call.index is None else call.index
            self._by_place[place] = known
            self._tools.append(known)
        return known

    def _next(self) -> int:
        self._items += 1
        return self._items - 1

    def _end_text(self, events: list[Event]) -> None:
        if self._open is not None:
            events.append(ItemEnded(self._open[1]))
            self._open = None

    def _end_tool(self, tool: _Tool, events: list[Event]) -> None:
        if tool.index is not None and not tool.ended:
            tool.ended = True
            events.append(ItemEnded(tool.index))

    def _end_items(self, events: list[Event]) -> None:
        self._end_text(events)
        for tool in self._tools:
            self._end_tool(tool, events)

    def _finish(self) -> list[Event]:
        events: list[Event] = []
        self._end_items(events)
        self._is_over = True
        has_calls = any(tool.index is not None for tool in self._tools)
        finish, stop = read_finish(self._reason, self._stop_reason, has_calls=has_calls)
        return [*events, Finished(finish, stop)]

    def _fail(self, failure: Failed) -> list[Event]:
        self._is_over = True
        return [failure]


def _only_text(reply: wire.Reply) -> str | None:
    """The text of a chunk that says nothing else, as nearly all of a stream's chunks do."""
    if not reply.choices or len(reply.choices) > 1 or reply.usage:
        return None
    choice = reply.choices[0]
    said = choice.delta
    if said is None or choice.index or choice.finish_reason or not isinstance(said.content, str):
        return None
    is_more = said.reasoning_content or said.reasoning or said.refusal
    return None if is_more or said.tool_calls or said.function_call else said.content


def _is_another(call: wire.SaidToolCall, known: _Tool) -> bool:
    """Some servers give every call the place 0, others every piece of one call a new id."""
    return bool(
        call.id
        and known.id
        and call.id != known.id
        and call.function is not None
        and call.function.name
        and known.is_complete()
    )
