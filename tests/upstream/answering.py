"""Decides what an answer says, before any vendor's format is put around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import msgspec

from tests.upstream import text
from tests.upstream.examples import example
from tests.upstream.faults import DEFAULT_REASONING, NO_FAULT, Fault

DEFAULT_PIECES = 24


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, in no vendor's words."""

    question: str
    fault: Fault = NO_FAULT
    tool_result: str | None = None
    prefix: str = ""
    limit: int | None = None
    stops: Sequence[str] = ()
    # Names to call, of tools that may or may not be declared with a schema.
    calls: Sequence[str] = ()
    tools: Mapping[str, object] = field(default_factory=dict)
    as_json: bool = False
    json_schema: object = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Costs one token for its name and one per piece of its arguments."""

    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Choice:
    reasoning: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    # "stop", "length" or "calls"; vendors have their own words for them.
    ending: str = "stop"
    # The stop sequence that ended it, if one did.
    stopped_by: str | None = None

    @property
    def tokens(self) -> int:
        called = sum(1 + len(call.pieces) for call in self.calls)
        return len(self.reasoning) + len(self.content) + called

    @property
    def text(self) -> str:
        return "".join(self.content)


def choose(wish: Wish) -> Choice:
    thought = _thought(wish)
    says_thought = "think" in wish.fault.flags
    reasoning = () if says_thought else thought
    aloud, prefix = _begin(_in_tags(thought) if says_thought else (), wish.prefix)
    if wish.calls:
        calls = tuple(_call(name, wish.tools.get(name)) for name in wish.calls)
        return _cut(Choice(reasoning, aloud, calls, "calls"), wish.limit)
    content = _content(replace(wish, prefix=prefix))
    stopped_by = text.first_stop(content, wish.stops)
    content, _ = text.stop_before(content, wish.stops)
    return _cut(Choice(reasoning, aloud + content, stopped_by=stopped_by), wish.limit)


def _thought(wish: Wish) -> tuple[str, ...]:
    count = wish.fault.reasoning
    if count is None:
        count = DEFAULT_REASONING if "think" in wish.fault.flags else 0
    return text.reasoning_pieces(wish.question, count)


def _in_tags(thought: tuple[str, ...]) -> tuple[str, ...]:
    """No piece more than without: a piece is a token."""
    if not thought:
        return ()
    opened = (f"<think>{thought[0]}", *thought[1:])
    return (*opened[:-1], f"{opened[-1]}</think>")


def _begin(aloud: tuple[str, ...], prefix: str) -> tuple[tuple[str, ...], str]:
    """What is left of the thought to say, and how far the words after it are said already."""
    whole = "".join(aloud)
    if whole.startswith(prefix):
        return text.continue_after(aloud, prefix), ""
    return (), prefix.removeprefix(whole)


def interleave(calls: Sequence[ToolCall]) -> list[tuple[int, str]]:
    """The argument pieces of parallel calls in turns, as (index of the call, piece)."""
    longest = max((len(call.pieces) for call in calls), default=0)
    turns = (
        ((index, call.pieces[turn]) for index, call in enumerate(calls) if turn < len(call.pieces))
        for turn in range(longest)
    )
    return list(chain.from_iterable(turns))


def _content(wish: Wish) -> tuple[str, ...]:
    fault = wish.fault
    if wish.as_json:
        value = {"answer": text.quote(wish.question), "demo": True}
        chosen = value if wish.json_schema is None else example(wish.json_schema)
        return text.split_json(msgspec.json.encode(chosen).decode())
    if fault.pieces is not None or fault.piece_bytes is not None:
        count = DEFAULT_PIECES if fault.pieces is None else fault.pieces
        return text.continue_after(text.numbered_pieces(count, fault.piece_bytes), wish.prefix)
    if wish.tool_result is not None:
        return text.split_words(f'The tool returned: "{text.quote(wish.tool_result)}". Good.')
    return text.continue_after(text.demo_pieces(wish.question), wish.prefix)


def _call(name: str, schema: object) -> ToolCall:
    arguments = msgspec.json.encode(example(schema) if schema else {})
    return ToolCall(name, text.split_json(arguments.decode()))


def _cut(choice: Choice, limit: int | None) -> Choice:
    if limit is None or choice.tokens <= limit:
        return choice
    left = limit - len(choice.reasoning)
    if left <= 0:
        return Choice(choice.reasoning[:limit], ending="length")
    content = choice.content[:left]
    left -= len(content)
    kept: list[ToolCall] = []
    for call in choice.calls:
        if left < 1:
            break
        kept.append(replace(call, pieces=call.pieces[: left - 1]))
        left -= 1 + len(call.pieces)
    return Choice(choice.reasoning, content, tuple(kept), "length")
