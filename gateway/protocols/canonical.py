"""The one shape between wire formats: a call and its answer; ``events`` has the streamed one.

Content is a list of typed items, because that is what every dialect can be read into. Codecs
keep the order of items; what a dialect cannot express is the business of its encoder.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

Json = dict[str, Any]

Usage = list[tuple[str, str, int]]
"""Quantities by (dimension, variant). Dimensions never overlap: nothing is counted twice."""

DIMENSIONS = (
    "input",  # excludes cached tokens, cache writes and audio
    "cached_input",
    "cache_write",
    "audio_input",
    "output",  # excludes reasoning and audio
    "reasoning",
    "audio_output",
)
PROMPT_DIMENSIONS = frozenset(DIMENSIONS[:4])


class Text(msgspec.Struct, frozen=True, tag="text"):
    text: str


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    """Either ``data`` (base64) of a ``media_type``, or the address it can be fetched from."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: str | None = None


class Audio(msgspec.Struct, frozen=True, tag="audio", omit_defaults=True):
    """Sound as base64 in ``format``; an answer's own sound is referred to by ``id``."""

    data: str | None = None
    format: str | None = None
    id: str | None = None
    transcript: str | None = None


class Document(msgspec.Struct, frozen=True, tag="document", omit_defaults=True):
    """A file: base64 ``data``, plain ``text``, an address, or the id of an uploaded one."""

    media_type: str | None = None
    data: str | None = None
    text: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning", omit_defaults=True):
    """``signature`` and ``redacted`` are opaque and go back to the vendor unchanged."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call", omit_defaults=True):
    """``arguments`` is the JSON text as it came; ``extra_content`` is opaque vendor state."""

    id: str
    name: str
    arguments: str
    extra_content: Json | None = None


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    text: str


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result", omit_defaults=True):
    call_id: str
    content: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False


Item = Text | Image | Audio | Document | Reasoning | ToolCall | ToolResult | Refusal


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"  # holds tool results alone; a user message may hold them too


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    role: Role
    items: tuple[Item, ...] = ()
    name: str | None = None


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Json | None = None  # JSON schema; None where the client gave none
    strict: bool | None = None


class ToolMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    mode: ToolMode
    name: str | None = None  # of the one tool to call, in mode NAMED


class Sampling(msgspec.Struct, frozen=True, omit_defaults=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class FormatKind(StrEnum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class ResponseFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: FormatKind
    name: str | None = None
    description: str | None = None
    json_schema: Json | None = None
    strict: bool | None = None


class ThinkingMode(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    ADAPTIVE = "adaptive"


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much to think, by effort (one dialect) or by a budget of tokens (the other)."""

    mode: ThinkingMode = ThinkingMode.ENABLED
    effort: str | None = None
    budget_tokens: int | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request for an answer. System messages stand in ``messages`` where the client put them."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = Sampling()
    response_format: ResponseFormat | None = None
    thinking: Thinking | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    user: str | None = None
    stream: bool = False
    include_usage: bool = False  # whether the client of a stream wants to see the usage
    extras: Json = {}  # fields that this codec does not know, for the same dialect only


class Finish(StrEnum):
    """Why an answer ended, as finely as any dialect tells."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CONTEXT_WINDOW = "context_window"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"  # the vendor's own tool runs on; the client sends the answer back to go on


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    model: str
    items: tuple[Item, ...]
    finish: Finish
    stop_sequence: str | None = None
    usage: Usage | None = None  # None: the vendor did not say
    created: int | None = None  # seconds since the Unix epoch


class UpstreamProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a vendor says went wrong, in its own words: clean the message before showing it."""

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None


def count(usage: Usage, *dimensions: str) -> int:
    """The sum of some dimensions."""
    return sum(quantity for dimension, _, quantity in usage if dimension in dimensions)


def text_of(items: Sequence[Item], separator: str = "") -> str:
    return separator.join(item.text for item in items if isinstance(item, Text))
