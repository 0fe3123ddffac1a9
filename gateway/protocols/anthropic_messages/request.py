"""Anthropic messages requests read into the canonical call."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.errors import InvalidRequestError
from gateway.protocols import bodies
from gateway.protocols.anthropic_messages import signatures, wire
from gateway.protocols.canonical import (
    Call,
    Document,
    FormatKind,
    Image,
    Item,
    Json,
    Message,
    Reasoning,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    ThinkingMode,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)

_KNOWN = frozenset(wire.Request.__struct_encode_fields__)
_requests = msgspec.json.Decoder(wire.Request)
_anything = msgspec.json.Decoder(Any)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

_CHOICES = {
    wire.AutoChoice: ToolMode.AUTO,
    wire.AnyChoice: ToolMode.REQUIRED,
    wire.NoChoice: ToolMode.NONE,
    wire.NamedChoice: ToolMode.NAMED,
}


def decode(body: bytes) -> Call:
    """Read a request; raises InvalidRequestError naming the field."""
    request = bodies.read(_requests, body)
    if request.max_tokens is None:
        raise InvalidRequestError("Missing required field 'max_tokens'.", param="max_tokens")
    if request.max_tokens == 0:
        raise bodies.invalid("max_tokens", "Expected int >= 1")
    given = request.thinking
    if isinstance(given, wire.ThinkingEnabled) and given.budget_tokens >= request.max_tokens:
        raise bodies.invalid("thinking.budget_tokens", "it must be less than max_tokens")
    return _call(request, body)


def decode_count(body: bytes) -> Call:
    """Read a request to count tokens: one for an answer, that needs no bound on its length."""
    return _call(bodies.read(_requests, body), body)


def _call(request: wire.Request, body: bytes) -> Call:
    if request.mcp_servers:
        raise bodies.invalid("mcp_servers", "this gateway does not run tools of MCP servers")
    config = request.output_config or wire.OutputConfig()
    system = _system(request.system)
    return Call(
        model=request.model,
        messages=(*system, *_Conversation().read(request.messages)),
        tools=tuple(_tool(place, tool) for place, tool in enumerate(request.tools or ())),
        tool_choice=_tool_choice(request),
        parallel_tool_calls=_parallel_tool_calls(request),
        sampling=Sampling(
            temperature=request.temperature, top_p=request.top_p, top_k=request.top_k
        ),
        response_format=_response_format(config.format),
        thinking=_thinking(request, config.effort),
        max_output_tokens=request.max_tokens or None,
        stop=tuple(request.stop_sequences or ()),
        user=request.metadata.user_id if request.metadata else None,
        stream=bool(request.stream),
        include_usage=bool(request.stream),
        extras=_extras(body),
    )


def _extras(body: bytes) -> Json:
    fields = bodies.read(_fields, body)
    return {
        name: bodies.read(_anything, bytes(value))
        for name, value in fields.items()
        if name not in _KNOWN
    }


def _system(given: str | list[wire.TextBlock] | None) -> tuple[Message, ...]:
    items = _texts(given or "")
    return (Message(Role.SYSTEM, items),) if items else ()


def _texts(content: str | list[wire.TextBlock]) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(Text(block.text) for block in content)


class _Conversation:
    """Reads messages in order and checks that each tool result answers a call before it."""

    def __init__(self) -> None:
        self._called: set[str] = set()

    def read(self, messages: list[wire.Message]) -> tuple[Message, ...]:
        return tuple(
            self._message(f"messages[{place}]", message) for place, message in enumerate(messages)
        )

    def _message(self, path: str, message: wire.Message) -> Message:
        if isinstance(message, wire.SystemMessage):
            return Message(Role.SYSTEM, _texts(message.content))
        is_assistant = isinstance(message, wire.AssistantMessage)
        role = Role.ASSISTANT if is_assistant else Role.USER
        if isinstance(message.content, str):
            return Message(role, _texts(message.content))
        items: list[Item] = []
        for place, block in enumerate(message.content):
            items += self._block(f"{path}.content[{place}]", block)
        return Message(role, tuple(items))

    def _block(self, path: str, block: wire.UserBlock | wire.AssistantBlock) -> Sequence[Item]:
        match block:
            case wire.ThinkingBlock(text, signature):
                is_vendors = signature and not signatures.is_ours(signature)
                return [Reasoning(text, signature if is_vendors else None)]
            case wire.RedactedThinkingBlock(data):
                return [Reasoning(redacted=data)]
            case wire.ToolUseBlock():
                return [self._tool_call(path, block)]
            case wire.ToolResultBlock():
                return [self._tool_result(path, block)]
        return _given(block)

    def _tool_call(self, path: str, block: wire.ToolUseBlock) -> ToolCall:
        if not bytes(block.input).startswith(b"{"):
            raise bodies.invalid(f"{path}.input", "Expected object")
        self._called.add(block.id)
        return ToolCall(block.id, block.name, wire.compact(block.input))

    def _tool_result(self, path: str, block: wire.ToolResultBlock) -> ToolResult:
        if block.tool_use_id not in self._called:
            raise bodies.invalid(
                f"{path}.tool_use_id", "no message before this one makes that tool call"
            )
        content: list[Text | Image | Document] = []
        if isinstance(block.content, str):
            content += _texts(block.content)
        else:
            for part in block.content or ():
                content += _given(part)
        return ToolResult(block.tool_use_id, tuple(content), bool(block.is_error))


def _given(block: wire.Given) -> Sequence[Text | Image | Document]:
    match block:
        case wire.TextBlock(text):
            return [Text(text)]
        case wire.ImageBlock():
            return [_image(block)]
        case wire.DocumentBlock(source, title):
            return _document(source, title)
        case wire.SearchResultBlock(content, title):
            return [Document(text="\n".join(part.text for part in content), name=title)]


def _image(block: wire.ImageBlock) -> Image:
    match block.source:
        case wire.UrlSource(url):
            return Image(url=url)
        case wire.Base64Source(media_type, data):
            return Image(media_type=media_type, data=data)


def _document(  # noqa: PLR0911 - one per source
    source: wire.Base64Source
    | wire.UrlSource
    | wire.TextSource
    | wire.FileSource
    | wire.ContentSource,
    title: str | None,
) -> Sequence[Text | Image | Document]:
    match source:
        case wire.Base64Source(media_type, data):
            return [Document(media_type=media_type, data=data, name=title)]
        case wire.UrlSource(url):
            return [Document(url=url, name=title)]
        case wire.FileSource(file_id):
            return [Document(file_id=file_id, name=title)]
        case wire.TextSource(text):
            return [Document(text=text, name=title)]
    if isinstance(source.content, str):
        return [Document(text=source.content, name=title)]
    return [given for part in source.content for given in _given(part)]


def _tool(place: int, tool: wire.Tool) -> Tool:
    if tool.type not in {None, "custom"}:
        raise bodies.invalid(
            f"tools[{place}].type", f"'{tool.type}' runs at the vendor, which this model has not"
        )
    if not tool.name:
        raise InvalidRequestError(
            f"Missing required field 'tools[{place}].name'.", param=f"tools[{place}].name"
        )
    schema = tool.input_schema or {"type": "object", "properties": {}}
    schema = {name: value for name, value in schema.items() if name != "$schema"}
    return Tool(tool.name, tool.description, schema, tool.strict)


def _tool_choice(request: wire.Request) -> ToolChoice | None:
    chosen = request.tool_choice
    if chosen is None:
        return None
    name = chosen.name if isinstance(chosen, wire.NamedChoice) else None
    return ToolChoice(_CHOICES[type(chosen)], name)


def _parallel_tool_calls(request: wire.Request) -> bool | None:
    chosen = request.tool_choice
    return False if chosen is not None and chosen.disable_parallel_tool_use else None


def _response_format(given: wire.JsonFormat | None) -> ResponseFormat | None:
    if given is None:
        return None
    return ResponseFormat(FormatKind.JSON_SCHEMA, json_schema=given.json_schema)


def _thinking(request: wire.Request, effort: str | None) -> Thinking | None:
    match request.thinking:
        case wire.ThinkingEnabled(budget_tokens):
            return Thinking(ThinkingMode.ENABLED, effort, budget_tokens)
        case wire.ThinkingDisabled():
            return Thinking(ThinkingMode.DISABLED)
        case None if effort is None:
            return None
    return Thinking(ThinkingMode.ADAPTIVE, effort)
