"""The shape of Anthropic's request: what it must and may hold, and nothing else inside messages.

Unknown fields beside the messages are let through, unlike the vendor does: a gateway that passes
on what it has never heard of has to be seen doing so.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

ToolId = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]+$")]
Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]
MediaType = Annotated[str, Meta(pattern="^image/(jpeg|png|gif|webp)$")]

_at = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?")
_missing = re.compile(r"Object missing required field `(\w+)`")
_index = re.compile(r"\[(\d+)\]")


class Strict(Struct, tag_field="type", forbid_unknown_fields=True):
    pass


class Cacheable(Strict):
    cache_control: dict[str, Any] | None = None


class Base64Image(Strict, tag="base64"):
    media_type: MediaType
    data: Annotated[str, Meta(min_length=1)]


class Base64Document(Strict, tag="base64"):
    media_type: Annotated[str, Meta(pattern="^application/pdf$")]
    data: Annotated[str, Meta(min_length=1)]


class Url(Strict, tag="url"):
    url: Annotated[str, Meta(min_length=1)]


class File(Strict, tag="file"):
    file_id: str


class PlainText(Strict, tag="text"):
    media_type: str
    data: str


class Parts(Strict, tag="content"):
    content: Any


class Text(Cacheable, tag="text", kw_only=True):
    text: str
    citations: Any = None


class Image(Cacheable, tag="image", kw_only=True):
    source: Base64Image | Url | File


class Document(Cacheable, tag="document", kw_only=True):
    source: Base64Document | Url | File | PlainText | Parts
    title: str | None = None
    context: str | None = None
    citations: Any = None


class SearchResult(Cacheable, tag="search_result", kw_only=True):
    source: str
    title: str
    content: list[Text]
    citations: Any = None


class ToolResult(Cacheable, tag="tool_result", kw_only=True):
    tool_use_id: ToolId
    content: str | list[Text | Image | Document | SearchResult] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None


class ToolUse(Cacheable, tag="tool_use", kw_only=True):
    id: ToolId
    name: Name
    input: dict[str, Any]
    caller: Any = None
    toolset_name: str | None = None


class Thinking(Strict, tag="thinking"):
    thinking: str
    signature: str


class RedactedThinking(Strict, tag="redacted_thinking"):
    data: str


class User(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: str | list[Text | Image | Document | SearchResult | ToolResult]


class Assistant(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    content: str | list[Text | Thinking | RedactedThinking | ToolUse]


class Auto(Strict, tag="auto"):
    disable_parallel_tool_use: bool | None = None


class AnyTool(Strict, tag="any"):
    disable_parallel_tool_use: bool | None = None


class OneTool(Strict, tag="tool"):
    name: str
    disable_parallel_tool_use: bool | None = None


class NoTool(Strict, tag="none"):
    pass


class Enabled(Strict, tag="enabled"):
    budget_tokens: Annotated[int, Meta(ge=1024)]
    display: str | None = None


class Disabled(Strict, tag="disabled"):
    pass


class BetweenTools(Strict, tag="between_tools"):
    pass


class Adaptive(Strict, tag="adaptive"):
    display: str | None = None


class InputSchema(Struct):
    type: Annotated[str, Meta(pattern="^object$")]


class Tool(Struct, kw_only=True):
    """One of the caller's own; the vendor's have a date in their type."""

    name: Name
    description: str | None = None
    input_schema: InputSchema


class ServerTool(Struct):
    type: Annotated[str, Meta(pattern=r"_\d{8}$")]
    name: str


class Counted(Struct, kw_only=True):
    """What count_tokens takes."""

    model: str
    messages: list[User | Assistant]
    system: str | list[Text] = ""
    tools: list[dict[str, Any]] = []
    tool_choice: Auto | AnyTool | OneTool | NoTool | None = None
    thinking: Enabled | Disabled | BetweenTools | Adaptive | None = None
    output_config: dict[str, Any] | None = None


class Request(Counted, kw_only=True):
    max_tokens: Annotated[int, Meta(ge=1)]
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    metadata: dict[str, Any] | None = None


def find_misfit(body: dict[str, Any], shape: type[Counted]) -> str | None:
    """The first thing that is not of the shape, as ``messages.0.content: what is wrong``."""
    try:
        request = msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        return _describe(str(error), "")
    for index, tool in enumerate(request.tools):
        kind = Tool if tool.get("type", "custom") == "custom" else ServerTool
        try:
            msgspec.convert(tool, kind)
        except msgspec.ValidationError as error:
            return _describe(str(error), f"tools.{index}")
    return None


def _describe(error: str, within: str) -> str:
    found = _at.fullmatch(error)
    what, where = found.groups() if found else (error, None)
    steps = [within, _index.sub(r".\1", where or "")]
    if missing := _missing.fullmatch(what):
        steps.append(missing.group(1))
        what = "Field required"
    path = ".".join(step.strip(".") for step in steps if step)
    return f"{path}: {what}" if path else what
