"""A streamed answer as the events that every dialect's stream can be read into."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from gateway.protocols.canonical import (
    Answer,
    Finish,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    UpstreamProblem,
    Usage,
)


class Started(msgspec.Struct, frozen=True, tag="started", omit_defaults=True, gc=False):
    """The first event of every stream that got anywhere."""

    id: str
    model: str
    created: int | None = None


class ItemKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    REFUSAL = "refusal"


class ItemStarted(msgspec.Struct, frozen=True, tag="item_started", omit_defaults=True, gc=False):
    """Items are numbered in order of their start; each is ended once, several may be open."""

    index: int
    kind: ItemKind
    redacted: str | None = None


class ToolCallStarted(msgspec.Struct, frozen=True, tag="tool_call_started", omit_defaults=True):
    index: int
    id: str
    name: str
    extra_content: Json | None = None


class TextDelta(msgspec.Struct, frozen=True, tag="text_delta", gc=False):
    index: int
    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, tag="reasoning_delta", gc=False):
    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True, tag="signature_delta", gc=False):
    index: int
    signature: str


class RefusalDelta(msgspec.Struct, frozen=True, tag="refusal_delta", gc=False):
    index: int
    text: str


class ArgumentsDelta(msgspec.Struct, frozen=True, tag="arguments_delta", gc=False):
    index: int
    text: str


class ItemEnded(msgspec.Struct, frozen=True, tag="item_ended", gc=False):
    index: int


class UsageReported(msgspec.Struct, frozen=True, tag="usage_reported"):
    """All of the usage so far; the last one counts."""

    usage: Usage


class Pinged(msgspec.Struct, frozen=True, tag="pinged"):
    """The vendor is alive and has nothing to say."""


class Finished(msgspec.Struct, frozen=True, tag="finished", omit_defaults=True, gc=False):
    """The last event of a complete answer."""

    finish: Finish
    stop_sequence: str | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed", omit_defaults=True):
    """The last event of a stream that broke; ``interrupted``: it ended without saying why."""

    problem: UpstreamProblem
    interrupted: bool = False


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a client's stream stands, so that another writer can go on with it."""

    id: str
    created: int | None = None
    next_index: int = 0
    open_index: int | None = None  # of the item that goes on, if one does
    open_kind: ItemKind | None = None


Event = (
    Started
    | ItemStarted
    | ToolCallStarted
    | TextDelta
    | ReasoningDelta
    | SignatureDelta
    | RefusalDelta
    | ArgumentsDelta
    | ItemEnded
    | UsageReported
    | Pinged
    | Finished
    | Failed
)


_STREAMED = (Text, Reasoning, Refusal, ToolCall)


def replay(answer: Answer) -> Iterator[Event]:
    """A whole answer as events, for a client that asked for a stream and a vendor without."""
    yield Started(answer.id, answer.model, answer.created)
    items = (item for item in answer.items if isinstance(item, _STREAMED))
    for index, item in enumerate(items):
        yield from _replay_item(index, item)
    if answer.usage is not None:
        yield UsageReported(answer.usage)
    yield Finished(answer.finish, answer.stop_sequence)


def _replay_item(index: int, item: Text | Reasoning | Refusal | ToolCall) -> Iterator[Event]:
    match item:
        case Text(text):
            yield ItemStarted(index, ItemKind.TEXT)
            yield TextDelta(index, text)
        case Reasoning(text, signature, redacted):
            yield ItemStarted(index, ItemKind.REASONING, redacted)
            if text:
                yield ReasoningDelta(index, text)
            if signature is not None:
                yield SignatureDelta(index, signature)
        case Refusal(text):
            yield ItemStarted(index, ItemKind.REFUSAL)
            yield RefusalDelta(index, text)
        case ToolCall(id_, name, arguments, extra_content):
            yield ToolCallStarted(index, id_, name, extra_content)
            yield ArgumentsDelta(index, arguments)
    yield ItemEnded(index)
