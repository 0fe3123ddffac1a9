"""Canonical messages written as Anthropic turns, which alternate between user and assistant."""

import base64
import binascii
from collections.abc import Iterable, Sequence

import msgspec

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import signatures
from gateway.protocols.canonical import (
    Audio,
    Document,
    Image,
    Item,
    Json,
    Message,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    text_of,
)

_BEGIN = "."
"""What an inserted user turn says: a conversation cannot begin with the assistant."""

_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_NOT_TURNS = frozenset({Role.SYSTEM, Role.DEVELOPER})
_THINKING = frozenset({"thinking", "redacted_thinking"})
_PDF = "application/pdf"

_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def system_of(messages: Iterable[Message]) -> str:
    """The system's words from wherever they stand in the conversation."""
    said = (text_of(message.items, "\n") for message in messages if message.role in _NOT_TURNS)
    return "\n".join(text for text in said if text.strip())


def write(messages: Iterable[Message]) -> list[Json]:
    """Turns as the vendor takes them: none empty, no role twice in a row, the user first."""
    turns: list[Json] = []
    for message in messages:
        if message.role in _NOT_TURNS:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [block for item in message.items for block in _blocks(item)]
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        first = {"tool_result"} if turn["role"] == "user" else _THINKING
        turn["content"].sort(key=lambda block, first=first: block["type"] not in first)
    _trim_end(turns)
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": _BEGIN}]})
    return turns


def allow_thinking(turns: Sequence[Json]) -> bool:
    """Whether the vendor would accept a request to think before going on from here.

    It refuses when the assistant has begun to answer, and when a tool that the assistant
    called without (signed) thoughts has just been answered.
    """
    if turns[-1]["role"] == "assistant":
        return False
    spoken = _last_of_assistant(turns)
    calls_tools = any(block["type"] == "tool_use" for block in spoken)
    return not calls_tools or spoken[0]["type"] in _THINKING


def without_last_thoughts(turns: Sequence[Json]) -> None:
    """Take the thoughts out of the assistant's last turn: with thinking off they are refused."""
    spoken = _last_of_assistant(turns)
    rest = [block for block in spoken if block["type"] not in _THINKING]
    if rest:
        spoken[:] = rest


def _last_of_assistant(turns: Sequence[Json]) -> list[Json]:
    spoken = (turn["content"] for turn in reversed(turns) if turn["role"] == "assistant")
    return next(spoken, [])


def _trim_end(turns: list[Json]) -> None:
    """The beginning of an answer may not end with white space."""
    if not turns or turns[-1]["role"] != "assistant":
        return
    last = turns[-1]["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _blocks(item: Item) -> list[Json]:
    """An item as a block, or as none: empty text is refused, unsigned thoughts are too."""
    match item:
        case Text(text) | Refusal(text):
            return [{"type": "text", "text": text}] if text.strip() else []
        case Reasoning():
            return _thoughts(item)
        case Audio():
            raise InvalidRequestError(
                "This model's provider does not take sound.", param="messages"
            )
    return [_block(item)]


def _block(item: Image | Document | ToolCall | ToolResult) -> Json:
    match item:
        case Image():
            return _image(item)
        case Document():
            return _document(item)
        case ToolCall():
            return _tool_use(item)
        case ToolResult():
            return _tool_result(item)


def _thoughts(reasoning: Reasoning) -> list[Json]:
    if reasoning.redacted is not None:
        return [{"type": "redacted_thinking", "data": reasoning.redacted}]
    if reasoning.signature:
        block = {"thinking": reasoning.text, "signature": reasoning.signature}
        return [{"type": "thinking", **block}]
    return []


def _tool_use(call: ToolCall) -> Json:
    return {
        "type": "tool_use",
        "id": signatures.tool_id(call.id),
        "name": call.name,
        "input": _input(call),
    }


def _input(call: ToolCall) -> msgspec.Raw:
    text = call.arguments.strip() or "{}"
    try:
        _objects.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequestError(
            f"The arguments of the tool call '{call.id}' are not a JSON object.", param="messages"
        ) from error
    return msgspec.Raw(text.encode())


def _tool_result(result: ToolResult) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": signatures.tool_id(result.call_id)}
    match result.content:
        case (Text(text),):
            block["content"] = text
        case content:
            block["content"] = [part for item in content for part in _blocks(item)]
    if result.is_error:
        block["is_error"] = True
    return block


def _image(image: Image) -> Json:
    if image.data is None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    media_type = (image.media_type or "image/jpeg").replace("/jpg", "/jpeg")
    if media_type not in _IMAGE_TYPES:
        raise InvalidRequestError(
            f"This model's provider does not take images of the type '{media_type}'.",
            param="messages",
        )
    source = {"type": "base64", "media_type": media_type, "data": image.data}
    return {"type": "image", "source": source}


def _document(document: Document) -> Json:
    block: Json = {"type": "document", "source": _document_source(document)}
    if document.name:
        block["title"] = document.name
    return block


def _document_source(document: Document) -> Json:
    match document:
        case Document(text=str(text)):
            return {"type": "text", "media_type": "text/plain", "data": text}
        case Document(data=str(data), media_type=media_type):
            return _data_source(data, media_type or _PDF)
        case Document(url=str(url)):
            return {"type": "url", "url": url}
    return {"type": "file", "file_id": document.file_id}


def _data_source(data: str, media_type: str) -> Json:
    if media_type == _PDF:
        return {"type": "base64", "media_type": media_type, "data": data}
    if media_type.startswith("text/"):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidRequestError("A text file is not UTF-8.", param="messages") from error
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise InvalidRequestError(
        f"This model's provider does not take files of the type '{media_type}'.", param="messages"
    )
