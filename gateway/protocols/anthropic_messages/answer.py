"""Anthropic answers that are not streamed, in both directions."""

import msgspec

from gateway import ids, log
from gateway.protocols.anthropic_messages import signatures, usage, wire
from gateway.protocols.canonical import (
    Answer,
    Finish,
    Item,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from gateway.protocols.estimate import text_tokens
from gateway.protocols.problems import NOT_JSON, no_answer

_log = log.get(__name__)
_replies = msgspec.json.Decoder(wire.Reply)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])

_FINISHES = {
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.CONTEXT_WINDOW,
    "tool_use": Finish.TOOL_CALLS,
    "pause_turn": Finish.PAUSE,
    "refusal": Finish.REFUSAL,
}

_REASONS = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.CONTEXT_WINDOW: "model_context_window_exceeded",
    Finish.TOOL_CALLS: "tool_use",
    Finish.CONTENT_FILTER: "refusal",
    Finish.REFUSAL: "refusal",
    Finish.PAUSE: "pause_turn",
}

_ORDER = (Reasoning, Text, Refusal, ToolCall)


def decode(body: bytes) -> Answer:
    """Read an answer; raises UpstreamError if the body is none, whatever status it came with."""
    try:
        reply = _replies.decode(body)
        items = [item for block in reply.content or () for item in _items(block)]
    except NOT_JSON as error:
        raise no_answer(body, "The provider's answer could not be read.") from error
    if reply.error or reply.content is None:
        raise no_answer(body, "The provider's answer holds no message.")
    has_calls = any(isinstance(item, ToolCall) for item in items)
    return Answer(
        id=reply.id or "",
        model=reply.model or "",
        items=tuple(items),
        finish=read_finish(reply.stop_reason, has_calls=has_calls),
        stop_sequence=reply.stop_sequence,
        usage=usage.read(reply.usage),
    )


def encode(answer: Answer, model: str, *, input_tokens: int = 0) -> bytes:
    """Write an answer under the name of the model that the client asked for.

    ``input_tokens`` is the estimate for an answer whose vendor did not count.
    """
    items = [item for kind in _ORDER for item in answer.items if isinstance(item, kind)]
    refused = any(isinstance(item, Refusal) for item in items)
    body = {
        "id": answer_id(answer.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(item) for item in items],
        "stop_reason": write_finish(answer.finish, refused=refused),
        "stop_sequence": answer.stop_sequence,
        "usage": usage.write(answer.usage or _estimate(items, input_tokens)),
    }
    return msgspec.json.encode(body)


def read_finish(reason: str | None, *, has_calls: bool) -> Finish:
    """Servers that end tool calls with "end_turn" are corrected; unknown reasons mean a stop."""
    finish = _FINISHES.get(reason or "", Finish.STOP)
    return Finish.TOOL_CALLS if finish is Finish.STOP and has_calls else finish


def write_finish(finish: Finish, *, refused: bool) -> str:
    """In this dialect a refusal is a reason to stop, in others it is only said."""
    return "refusal" if refused and finish is Finish.STOP else _REASONS[finish]


def answer_id(id_: str) -> str:
    """Ids of this dialect begin alike; that of another dialect is kept behind the prefix."""
    if id_.startswith("msg_"):
        return id_
    return f"msg_{id_}" if id_ else ids.new("msg")


def tool_call(block: wire.SaidBlock) -> ToolCall | None:
    """A call without a name cannot be made."""
    if not block.name:
        return None
    return ToolCall(block.id or ids.new("toolu"), block.name, block.arguments())


def tool_use(call: ToolCall, input_: msgspec.Raw) -> Json:
    return {
        "type": "tool_use",
        "id": signatures.tool_id(call.id),
        "name": call.name,
        "input": input_,
    }


def _items(block: wire.SaidBlock) -> list[Item]:
    match block.type:
        case "text" if block.text:
            return [Text(block.text)]
        case "thinking" if block.thinking or block.signature:
            return [Reasoning(block.thinking or "", block.signature or None)]
        case "redacted_thinking" if block.opaque():
            return [Reasoning(redacted=block.opaque())]
        case "tool_use":
            call = tool_call(block)
            return [] if call is None else [call]
    return []


def _block(item: Reasoning | Text | Refusal | ToolCall) -> Json:
    match item:
        case Reasoning(redacted=str(data)):
            return {"type": "redacted_thinking", "data": data}
        case Reasoning(text, signature):
            signature = signature or signatures.sign(text)
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall():
            return tool_use(item, _input(item))
    return {"type": "text", "text": item.text}


def _input(call: ToolCall) -> msgspec.Raw:
    """The dialect has no place for arguments that are not an object: they go into one."""
    text = call.arguments.strip() or "{}"
    try:
        _objects.decode(text)
    except (msgspec.DecodeError, RecursionError):
        _log.warning("tool_arguments_unreadable", tool=call.name)
        return msgspec.Raw(msgspec.json.encode({"_raw_arguments": call.arguments}))
    return msgspec.Raw(text.encode())


def _estimate(
    items: list[Reasoning | Text | Refusal | ToolCall], input_tokens: int
) -> list[tuple[str, str, int]]:
    said = "".join(item.arguments if isinstance(item, ToolCall) else item.text for item in items)
    return [("input", "", input_tokens), ("output", "", text_tokens(said))]
