"""The events of an answer of /v1/messages, and what they share with the whole one."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from tests.upstream.answering import Choice, ToolCall
from tests.upstream.anthropic_shapes import encode, sign
from tests.upstream.reply import Call, Event, Kind

ENDINGS = {"stop": "end_turn", "length": "max_tokens", "calls": "tool_use"}
# A tool without arguments is streamed without any.
NO_ARGUMENTS = "{}"


def tool_id(call: Call, index: int) -> str:
    return f"toolu_sim{call.seq:010d}{index:03d}"


def describe_start(call: Call, usage: dict[str, Any]) -> dict[str, Any]:
    """The message before it has content or an end."""
    message: dict[str, Any] = {
        "id": f"msg_sim{call.seq:012d}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
    if "nousage" not in call.fault.flags:
        written = usage["cache_creation_input_tokens"]
        creation = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
        more = {"cache_creation": creation, "service_tier": "standard"}
        message["usage"] = usage | more
    return message


def describe_end(choice: Choice) -> dict[str, Any]:
    reason = "stop_sequence" if choice.stopped_by else ENDINGS[choice.ending]
    return {"stop_reason": reason, "stop_sequence": choice.stopped_by}


def list_events(call: Call, choice: Choice, usage: dict[str, Any]) -> Iterator[Event]:
    # So far, the vendor has always counted one token.
    begun = describe_start(call, {**usage, "output_tokens": min(1, usage["output_tokens"])})
    yield _event(Kind.ROLE, {"type": "message_start", "message": begun})
    yield _event(Kind.CONTENT, {"type": "ping"})
    for index, (block, deltas) in enumerate(_blocks(call, choice)):
        start = {"type": "content_block_start", "index": index, "content_block": block}
        yield _event(Kind.CONTENT, start)
        for pieces, delta in deltas:
            data = b'{"type":"content_block_delta","index":%d,"delta":%b}' % (index, delta)
            yield Event(Kind.CONTENT, data, "content_block_delta", pieces)
        yield _event(Kind.CONTENT, {"type": "content_block_stop", "index": index})
    end: dict[str, Any] = {"type": "message_delta", "delta": describe_end(choice)}
    if "nousage" not in call.fault.flags:
        end["usage"] = usage
    yield _event(Kind.FINISH, end, reports_usage="usage" in end)
    yield _event(Kind.DONE, {"type": "message_stop"})


def _blocks(
    call: Call, choice: Choice
) -> Iterator[tuple[dict[str, Any], Iterable[tuple[int, bytes]]]]:
    """Every block as it starts, and its deltas with the number of content pieces in each."""
    if choice.reasoning:
        yield {"type": "thinking", "thinking": "", "signature": ""}, _thinking(choice.reasoning)
    if choice.content:
        yield {"type": "text", "text": ""}, _text(choice.content)
    for index, tool in enumerate(choice.calls):
        made = {"type": "tool_use", "id": tool_id(call, index), "name": tool.name, "input": {}}
        yield made, _arguments(tool)


def _thinking(pieces: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
    for piece in pieces:
        yield 0, b'{"type":"thinking_delta","thinking":%b}' % _quoted(piece)
    yield 0, encode({"type": "signature_delta", "signature": sign("".join(pieces))})


def _text(pieces: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
    for piece in pieces:
        yield 1, b'{"type":"text_delta","text":%b}' % _quoted(piece)


def _arguments(tool: ToolCall) -> Iterator[tuple[int, bytes]]:
    pieces = () if tool.arguments == NO_ARGUMENTS else tool.pieces
    for piece in ("", *pieces):
        yield 0, b'{"type":"input_json_delta","partial_json":%b}' % _quoted(piece)


def _event(kind: Kind, data: dict[str, Any], *, reports_usage: bool = False) -> Event:
    return Event(kind, encode(data), data["type"], reports_usage=reports_usage)


@lru_cache(maxsize=16_384)
def _quoted(piece: str) -> bytes:
    return encode(piece)
