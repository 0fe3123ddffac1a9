"""OpenAI chat answers that are not streamed, in both directions."""

from typing import Any

import msgspec

from gateway import clock, ids
from gateway.protocols import openai_usage
from gateway.protocols.canonical import (
    Answer,
    Finish,
    Item,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    text_of,
)
from gateway.protocols.openai_chat import wire
from gateway.protocols.problems import NOT_JSON, no_answer

_replies = msgspec.json.Decoder(wire.Reply)

_FINISHES = {
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
}

_REASONS = {
    Finish.LENGTH: "length",
    Finish.CONTEXT_WINDOW: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.REFUSAL: "content_filter",
}


def decode(body: bytes) -> Answer:
    """Read an answer; raises UpstreamError if the body is none, whatever status it came with."""
    try:
        reply = _replies.decode(body)
    except NOT_JSON as error:
        raise no_answer(body, "The provider's answer could not be read.") from error
    choice = first_choice(reply)
    if reply.error or choice is None or choice.message is None:
        raise no_answer(body, "The provider's answer holds no message.")
    items = _items(choice.message)
    has_calls = any(isinstance(item, ToolCall) for item in items)
    finish, stop_sequence = read_finish(
        choice.finish_reason, choice.stop_reason, has_calls=has_calls
    )
    return Answer(
        id=str(reply.id or ""),
        model=reply.model or "",
        items=tuple(items),
        finish=finish,
        stop_sequence=stop_sequence,
        usage=openai_usage.read(reply.usage),
        created=int(reply.created) if reply.created else None,
    )


def encode(answer: Answer, model: str) -> bytes:
    """Write an answer under the name of the model that the client asked for."""
    body = {
        "id": answer_id(answer.id),
        "object": "chat.completion",
        "created": answer.created or clock.now_ms() // 1000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": _message(answer.items),
                "logprobs": None,
                "finish_reason": write_finish(answer.finish),
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = openai_usage.write(answer.usage)
    return msgspec.json.encode(body)


def first_choice(reply: wire.Reply) -> wire.Choice | None:
    """The one choice that can be carried into other dialects."""
    return next((choice for choice in reply.choices or () if not choice.index), None)


def read_finish(
    reason: str | None, stop_reason: object, *, has_calls: bool
) -> tuple[Finish, str | None]:
    """Servers that end tool calls with "stop" are corrected; unknown reasons mean a plain stop."""
    finish = _FINISHES.get(reason or "", Finish.STOP)
    if finish is Finish.STOP:
        if has_calls:
            return Finish.TOOL_CALLS, None
        if isinstance(stop_reason, str) and stop_reason:
            return Finish.STOP_SEQUENCE, stop_reason
    return finish, None


def write_finish(finish: Finish) -> str:
    return _REASONS.get(finish, "stop")


def answer_id(id_: str) -> str:
    """Ids of this dialect begin alike; that of another dialect is kept behind the prefix."""
    if id_.startswith("chatcmpl-"):
        return id_
    return f"chatcmpl-{id_}" if id_ else ids.new("chatcmpl").replace("_", "-")


def arguments_text(arguments: str | dict[str, Any] | None) -> str:
    """Some servers send an object where its text belongs."""
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""


def _items(message: wire.Said) -> list[Item]:
    items: list[Item] = []
    if thoughts := message.thoughts():
        items.append(Reasoning(thoughts))
    if text := message.text():
        items.append(Text(text))
    if refusal := message.refused():
        items.append(Refusal(refusal))
    for call in message.calls():
        if call.function is not None and call.function.name:
            arguments = arguments_text(call.function.arguments)
            items.append(
                ToolCall(
                    call.id or ids.new("call"), call.function.name, arguments, call.extra_content
                )
            )
    return items


def _message(items: tuple[Item, ...]) -> Json:
    thoughts = "".join(item.text for item in items if isinstance(item, Reasoning))
    refusal = "".join(item.text for item in items if isinstance(item, Refusal))
    calls = [_tool_call(item) for item in items if isinstance(item, ToolCall)]
    text = text_of(items)
    message: Json = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    written: Json = {"id": call.id, "type": "function", "function": function}
    if call.extra_content is not None:
        written["extra_content"] = call.extra_content
    return written
