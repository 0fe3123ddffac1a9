"""OpenAI chat requests read into the canonical call."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.protocols import bodies
from gateway.protocols.canonical import (
    Audio,
    Call,
    Document,
    FormatKind,
    Image,
    Item,
    Json,
    Message,
    Reasoning,
    Refusal,
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
from gateway.protocols.openai_chat import wire

_KNOWN = frozenset(wire.Request.__struct_encode_fields__)
_requests = msgspec.json.Decoder(wire.Request)
_anything = msgspec.json.Decoder(Any)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(body: bytes) -> Call:
    """Read a request; raises InvalidRequestError naming the field."""
    request = bodies.read(_requests, body)
    return Call(
        model=request.model,
        messages=_Conversation().read(request.messages),
        tools=_tools(request),
        tool_choice=_tool_choice(request),
        parallel_tool_calls=request.parallel_tool_calls,
        sampling=_sampling(request),
        response_format=_response_format(request.response_format),
        thinking=_thinking(request.reasoning_effort),
        max_output_tokens=request.max_completion_tokens or request.max_tokens,
        stop=(request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ()),
        choices=request.n or 1,
        user=request.user,
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        extras=_extras(body),
    )


def _extras(body: bytes) -> Json:
    fields = bodies.read(_fields, body)
    return {
        name: bodies.read(_anything, bytes(value))
        for name, value in fields.items()
        if name not in _KNOWN
    }


class _Conversation:
    """Reads messages in order and checks that each tool result answers a call before it."""

    def __init__(self) -> None:
        self._called: set[str] = set()
        self._functions = 0  # calls of the time when functions had no ids

    def read(self, messages: list[wire.Message]) -> tuple[Message, ...]:
        return tuple(self._message(place, message) for place, message in enumerate(messages))

    def _message(self, place: int, message: wire.Message) -> Message:
        match message:
            case wire.ToolMessage():
                return self._tool_result(place, message)
            case wire.FunctionMessage():
                return self._function_result(place, message)
            case wire.AssistantMessage():
                return Message(Role.ASSISTANT, tuple(self._said(message)), message.name)
            case wire.UserMessage():
                return Message(Role.USER, _content(message.content), message.name)
        role = Role.SYSTEM if isinstance(message, wire.SystemMessage) else Role.DEVELOPER
        return Message(role, _content(message.content), message.name)

    def _said(self, message: wire.AssistantMessage) -> list[Item]:
        items: list[Item] = []
        if message.reasoning_content:
            items.append(Reasoning(message.reasoning_content))
        items += _content(message.content or ())
        if message.refusal:
            items.append(Refusal(message.refusal))
        if message.audio is not None:
            items.append(Audio(id=message.audio.id))
        for call in message.tool_calls or ():
            self._called.add(call.id)
            function = call.function
            items.append(ToolCall(call.id, function.name, function.arguments, call.extra_content))
        if message.function_call is not None:
            self._functions += 1
            items.append(
                ToolCall(
                    f"call_function_{self._functions}",
                    message.function_call.name,
                    message.function_call.arguments,
                )
            )
        return items

    def _tool_result(self, place: int, message: wire.ToolMessage) -> Message:
        if message.tool_call_id not in self._called:
            raise bodies.invalid(
                f"messages[{place}].tool_call_id", "no message before this one makes that tool call"
            )
        return Message(
            Role.TOOL,
            (ToolResult(message.tool_call_id, _result_content(message.content)),),
        )

    def _function_result(self, place: int, message: wire.FunctionMessage) -> Message:
        if not self._functions:
            raise bodies.invalid(
                f"messages[{place}].role", "no message before this one calls a function"
            )
        content = _result_content(message.content or "")
        return Message(Role.TOOL, (ToolResult(f"call_function_{self._functions}", content),))


def _content(content: str | Sequence[wire.Part | wire.RefusalPart]) -> tuple[Item, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(_part(part) for part in content)


def _result_content(
    content: str | list[wire.TextPart | wire.ImagePart],
) -> tuple[Text | Image, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(
        Text(part.text) if isinstance(part, wire.TextPart) else _image(part) for part in content
    )


def _part(part: wire.Part | wire.RefusalPart) -> Item:
    match part:
        case wire.TextPart(text):
            return Text(text)
        case wire.RefusalPart(text):
            return Refusal(text)
        case wire.AudioPart(audio):
            return Audio(data=audio.data, format=audio.format)
        case wire.FilePart(file):
            return _document(file)
    return _image(part)


def _image(part: wire.ImagePart) -> Image:
    given = part.image_url
    url, detail = (given, None) if isinstance(given, str) else (given.url, given.detail)
    media_type, data = _split_data_uri(url)
    if data is None:
        return Image(url=url, detail=detail)
    return Image(media_type=media_type or "image/jpeg", data=data, detail=detail)


def _document(file: wire.FileData) -> Document:
    media_type, data = _split_data_uri(file.file_data or "")
    return Document(
        media_type=(media_type or "application/pdf") if file.file_data else None,
        data=data or file.file_data,
        file_id=file.file_id,
        name=file.filename,
    )


def _split_data_uri(url: str) -> tuple[str | None, str | None]:
    """Media type and base64 data of ``data:image/png;base64,…``; nothing of other addresses."""
    if url[:5].lower() != "data:":
        return None, None
    head, found, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if not found or "base64" not in parameters:
        return None, None
    return media_type.lower() or None, data


def _tools(request: wire.Request) -> tuple[Tool, ...]:
    functions = [tool.function for tool in request.tools or ()] + (request.functions or [])
    return tuple(
        Tool(function.name, function.description, function.parameters, function.strict)
        for function in functions
    )


def _tool_choice(request: wire.Request) -> ToolChoice | None:
    chosen: wire.NamedTool | wire.FunctionName | str | None = request.tool_choice
    path = "tool_choice"
    if chosen is None:
        chosen, path = request.function_call, "function_call"
    match chosen:
        case None:
            return None
        case wire.NamedTool(function):
            return ToolChoice(ToolMode.NAMED, function.name)
        case wire.FunctionName(name):
            return ToolChoice(ToolMode.NAMED, name)
        case "auto" | "none" | "required":
            return ToolChoice(ToolMode(chosen))
    raise bodies.invalid(path, "Expected 'auto', 'none', 'required' or an object")


def _sampling(request: wire.Request) -> Sampling:
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )


def _response_format(
    given: wire.PlainText | wire.JsonObject | wire.JsonSchema | None,
) -> ResponseFormat | None:
    match given:
        case None:
            return None
        case wire.JsonSchema(schema):
            return ResponseFormat(
                FormatKind.JSON_SCHEMA,
                schema.name,
                schema.description,
                schema.json_schema,
                schema.strict,
            )
        case wire.JsonObject():
            return ResponseFormat(FormatKind.JSON_OBJECT)
    return ResponseFormat(FormatKind.TEXT)


def _thinking(effort: str | None) -> Thinking | None:
    if effort is None:
        return None
    mode = ThinkingMode.DISABLED if effort == "none" else ThinkingMode.ENABLED
    return Thinking(mode, effort)
