"""Canonical calls written as OpenAI chat requests for an upstream."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.errors import InvalidRequestError
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
    Text,
    Thinking,
    ThinkingMode,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    text_of,
)
from gateway.protocols.traits import NO_TRAITS, Traits

_FROM_TOOLS = "From the tool results above:"


def encode(call: Call, traits: Traits = NO_TRAITS) -> bytes:
    """The request's body; a stream always asks for its usage, because it is billed by it."""
    body: Json = {
        "model": call.model,
        "messages": [
            written for message in call.messages for written in _messages(message, traits)
        ],
    }
    if call.tools:
        body["tools"] = [_tool(tool) for tool in call.tools]
    if call.tool_choice is not None:
        body["tool_choice"] = _tool_choice(call.tool_choice)
    if call.response_format is not None:
        body["response_format"] = _response_format(call.response_format)
    if call.stop:
        body["stop"] = call.stop
    if call.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _scalars(call, traits) | _thinking(call.thinking, traits)
    if call.messages and call.messages[-1].role is Role.ASSISTANT:
        _mark_prefix(body, traits)
    return msgspec.json.encode(body | call.extras)


def bounded(call: Call, most: int | None) -> Call:
    """The request such that no more than ``most`` tokens are written, thoughts included."""
    if most is None or (call.max_output_tokens or most + 1) <= most:
        return call
    return msgspec.structs.replace(call, max_output_tokens=most)


def _mark_prefix(body: Json, traits: Traits) -> None:
    """The last message is the beginning of the answer; some servers must be told so."""
    if traits.prefix == "flag":
        body["messages"][-1]["prefix"] = True
    elif traits.prefix == "template":
        body |= {"continue_final_message": True, "add_generation_prompt": False}


def _scalars(call: Call, traits: Traits) -> Json:
    fields = {
        traits.output_field: call.max_output_tokens,
        "temperature": call.sampling.temperature,
        "top_p": call.sampling.top_p,
        "top_k": call.sampling.top_k,
        "seed": call.sampling.seed,
        "presence_penalty": call.sampling.presence_penalty,
        "frequency_penalty": call.sampling.frequency_penalty,
        "parallel_tool_calls": call.parallel_tool_calls,
        "n": call.choices if call.choices > 1 else None,
        "user": call.user,
    }
    return _without_none(fields)


def _messages(message: Message, traits: Traits) -> Iterator[Json]:
    """A message as one or several; tool results are messages of their own and come first."""
    if message.role is Role.ASSISTANT:
        yield _assistant(message, traits)
    elif message.role in {Role.SYSTEM, Role.DEVELOPER}:
        yield _named(message, {"role": message.role, "content": text_of(message.items, "\n\n")})
    else:
        yield from _user(message)


def _user(message: Message) -> Iterator[Json]:
    results = [item for item in message.items if isinstance(item, ToolResult)]
    said: list[Item] = [item for item in message.items if not isinstance(item, ToolResult)]
    for result in results:
        yield _tool_result(result)
    images = [item for result in results for item in result.content if not isinstance(item, Text)]
    if images:
        said = [Text(_FROM_TOOLS), *images, *said]
    if said or not results:
        yield _named(message, {"role": "user", "content": _content(said)})


def _tool_result(result: ToolResult) -> Json:
    """Only text fits in: what else there is follows as the user's."""
    text = text_of(result.content, "\n")
    if result.is_error:
        text = f"Error: {text}"
    return {"role": "tool", "tool_call_id": result.call_id, "content": text}


def _assistant(message: Message, traits: Traits) -> Json:
    """``content`` is there even without text: some servers refuse a message that lacks the key."""
    calls = [_tool_call(item) for item in message.items if isinstance(item, ToolCall)]
    written: Json = {"role": "assistant", "content": text_of(message.items) or None}
    if refusal := "".join(item.text for item in message.items if isinstance(item, Refusal)):
        written["refusal"] = refusal
    if traits.wants_reasoning_back:
        thoughts = [item.text for item in message.items if isinstance(item, Reasoning)]
        if any(thoughts):
            written["reasoning_content"] = "\n".join(thoughts)
    for item in message.items:
        if isinstance(item, Audio) and item.id is not None:
            written["audio"] = {"id": item.id}
    if calls:
        written["tool_calls"] = calls
    return _named(message, written)


def _named(message: Message, written: Json) -> Json:
    if message.name is not None:
        written["name"] = message.name
    return written


def _tool_call(call: ToolCall) -> Json:
    written: Json = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.extra_content is not None:
        written["extra_content"] = call.extra_content
    return written


def _content(items: Sequence[Item]) -> str | list[Json]:
    match items:
        case []:
            return ""
        case [Text(text)]:
            return text
    return [_part(item) for item in items]


def _part(item: Item) -> Json:
    match item:
        case Image():
            return {"type": "image_url", "image_url": _image(item)}
        case Audio():
            data = {"data": item.data or "", "format": item.format or "wav"}
            return {"type": "input_audio", "input_audio": data}
        case Document(text=str(text)):
            return {"type": "text", "text": text}
        case Document(data=None, file_id=None):
            raise InvalidRequestError("This model's provider cannot fetch documents from a URL.")
        case Document():
            return {"type": "file", "file": _file(item)}
        case Text(text) | Refusal(text) | Reasoning(text):
            return {"type": "text", "text": text}
    raise TypeError(type(item).__name__)


def _image(image: Image) -> Json:
    url = image.url if image.data is None else _data_uri(image.media_type, image.data)
    return _without_none({"url": url, "detail": image.detail})


def _file(document: Document) -> Json:
    data = None if document.data is None else _data_uri(document.media_type, document.data)
    return _without_none(
        {"file_data": data, "file_id": document.file_id, "filename": document.name}
    )


def _data_uri(media_type: str | None, data: str) -> str:
    return f"data:{media_type or ''};base64,{data}"


def _tool(tool: Tool) -> Json:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _without_none(function)}


def _tool_choice(choice: ToolChoice) -> str | Json:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode.value


def _response_format(wanted: ResponseFormat) -> Json:
    if wanted.kind is not FormatKind.JSON_SCHEMA:
        return {"type": wanted.kind.value}
    schema = {
        "name": wanted.name or "answer",
        "description": wanted.description,
        "schema": wanted.json_schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema", "json_schema": _without_none(schema)}


def _thinking(thinking: Thinking | None, traits: Traits) -> Json:
    if thinking is None or traits.thinking == "fixed":
        return {}
    is_on = thinking.mode is not ThinkingMode.DISABLED
    if traits.thinking == "toggle":
        return {"thinking": {"type": "enabled" if is_on else "disabled"}}
    if traits.thinking == "flag":
        budget = thinking.budget_tokens if is_on else None
        return _without_none({"enable_thinking": is_on, "thinking_budget": budget})
    effort = thinking.effort or (_effort(thinking.budget_tokens) if is_on else None)
    return _without_none({"reasoning_effort": effort})


def _effort(budget_tokens: int | None) -> str | None:
    if budget_tokens is None:
        return None
    if budget_tokens < 4_000:
        return "low"
    return "medium" if budget_tokens < 16_000 else "high"


def _without_none(fields: dict[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
