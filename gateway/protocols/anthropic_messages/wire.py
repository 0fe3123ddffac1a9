"""Anthropic messages as they stand on the wire: the fields that fit into another dialect.

Requests are read strictly, so that a client learns which field is wrong; answers leniently,
because not only the vendor itself speaks this dialect.
"""

from typing import Annotated, Any, Literal

import msgspec

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]

_NO_INPUT = msgspec.Raw(b"")


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Base64Source(msgspec.Struct, tag_field="type", tag="base64"):
    media_type: str
    data: str


class UrlSource(msgspec.Struct, tag_field="type", tag="url"):
    url: NonEmpty


class TextSource(msgspec.Struct, tag_field="type", tag="text"):
    data: str
    media_type: str | None = None


class FileSource(msgspec.Struct, tag_field="type", tag="file"):
    file_id: NonEmpty


class ImageBlock(msgspec.Struct, tag_field="type", tag="image"):
    source: Base64Source | UrlSource


class ContentSource(msgspec.Struct, tag_field="type", tag="content"):
    content: str | list[TextBlock | ImageBlock]


class DocumentBlock(msgspec.Struct, tag_field="type", tag="document"):
    source: Base64Source | UrlSource | TextSource | FileSource | ContentSource
    title: str | None = None


class SearchResultBlock(msgspec.Struct, tag_field="type", tag="search_result"):
    content: list[TextBlock]
    title: str


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, tag_field="type", tag="redacted_thinking"):
    data: str


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: NonEmpty
    name: NonEmpty
    input: msgspec.Raw


class ToolResultBlock(msgspec.Struct, tag_field="type", tag="tool_result"):
    tool_use_id: NonEmpty
    content: str | list[TextBlock | ImageBlock | DocumentBlock | SearchResultBlock] | None = None
    is_error: bool | None = None


Given = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
UserBlock = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolResultBlock
AssistantBlock = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock


class SystemMessage(msgspec.Struct, tag_field="role", tag="system"):
    content: str | list[TextBlock]


class UserMessage(msgspec.Struct, tag_field="role", tag="user"):
    content: str | list[UserBlock]


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str | list[AssistantBlock]


Message = SystemMessage | UserMessage | AssistantMessage


class Tool(msgspec.Struct):
    """The client's own tool; what runs at the vendor has another type, and perhaps no name."""

    type: str | None = None
    name: str = ""
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class AutoChoice(msgspec.Struct, tag_field="type", tag="auto"):
    disable_parallel_tool_use: bool | None = None


class AnyChoice(msgspec.Struct, tag_field="type", tag="any"):
    disable_parallel_tool_use: bool | None = None


class NoChoice(msgspec.Struct, tag_field="type", tag="none"):
    disable_parallel_tool_use: bool | None = None


class NamedChoice(msgspec.Struct, tag_field="type", tag="tool"):
    name: NonEmpty
    disable_parallel_tool_use: bool | None = None


class ThinkingEnabled(msgspec.Struct, tag_field="type", tag="enabled"):
    budget_tokens: Annotated[int, msgspec.Meta(ge=1024)]


class ThinkingDisabled(msgspec.Struct, tag_field="type", tag="disabled"):
    pass


class ThinkingAdaptive(msgspec.Struct, tag_field="type", tag="adaptive"):
    pass


class ThinkingBetweenTools(msgspec.Struct, tag_field="type", tag="between_tools"):
    pass


class JsonFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    json_schema: dict[str, Any] = msgspec.field(name="schema")


class OutputConfig(msgspec.Struct):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(msgspec.Struct):
    user_id: str | None = None


class Request(msgspec.Struct):
    model: NonEmpty
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    system: str | list[TextBlock] | None = None
    tools: list[Tool] | None = None
    tool_choice: AutoChoice | AnyChoice | NoChoice | NamedChoice | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: (
        ThinkingEnabled | ThinkingDisabled | ThinkingAdaptive | ThinkingBetweenTools | None
    ) = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None
    mcp_servers: list[Any] | None = None


class SaidBlock(msgspec.Struct):
    """A block of an answer, whatever its type, or the beginning of one in a stream."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: Any = None  # of redacted thoughts text, of blocks yet unheard of anything
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NO_INPUT

    def opaque(self) -> str:
        return self.data if isinstance(self.data, str) else ""

    def arguments(self) -> str:
        """The input as compact JSON text; nothing where none was given."""
        given = bytes(self.input)
        if given in {b"", b"null"}:
            return ""
        if given.startswith(b'"'):  # some servers send the text where the object belongs
            return msgspec.json.decode(given, type=str)
        return compact(self.input)


class Reply(msgspec.Struct):
    """An answer, or the message that a stream begins with."""

    id: str | None = None
    type: str | None = None
    model: str | None = None
    content: list[SaidBlock] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Any = None
    error: Any = None


class Delta(msgspec.Struct):
    """What one event adds to a block, or to the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class StreamEvent(msgspec.Struct):
    type: str = ""
    index: int | None = None
    message: Reply | None = None
    content_block: SaidBlock | None = None
    delta: Delta | None = None
    usage: Any = None
    error: Any = None


def compact(value: msgspec.Raw) -> str:
    """JSON text without the spaces between; numbers and the order of keys stay as they came."""
    return msgspec.json.format(bytes(value), indent=-1).decode()
