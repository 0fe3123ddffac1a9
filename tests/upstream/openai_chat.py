"""POST /chat/completions as OpenAI speaks it, whole and streamed."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from tests.upstream import openai_signatures, text, tokens
from tests.upstream.answering import Choice, Wish, choose, interleave
from tests.upstream.openai_shapes import (
    CREATED,
    FINGERPRINT,
    answer_headers,
    build_usage,
    encode,
    fail,
    missing,
)
from tests.upstream.reply import EVENT_STREAM, Call, Event, Kind, Reply

MOST_CHOICES = 128
ENDINGS = {"stop": "stop", "length": "length", "calls": "tool_calls"}


def answer(call: Call) -> Reply:
    messages = call.body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(item, dict) for item in messages):
        return missing("messages")
    if "noprefix" in call.fault.flags and _prefix(messages):
        return fail(call, "noprefix")
    if "extra" in call.fault.flags and not openai_signatures.are_complete(messages):
        return fail(call, "no_signature")
    choices = [choose(_wish(call, messages))] * min(MOST_CHOICES, call.body.get("n") or 1)
    usage = build_usage(
        call,
        tokens.count_prompt(messages, call.body.get("tools")),
        sum(choice.tokens for choice in choices),
        sum(len(choice.reasoning) for choice in choices),
    )
    headers = answer_headers(call)
    if call.body.get("stream") and "jsonstream" not in call.fault.flags:
        events = _events(call, choices, usage)
        return Reply(
            events=events, content_type=EVENT_STREAM, headers=headers, usage=usage, pieces=0
        )
    pieces = sum(len(choice.content) for choice in choices)
    return Reply(_whole(call, choices, usage), headers=headers, usage=usage, pieces=pieces)


def _wish(call: Call, messages: list[dict[str, Any]]) -> Wish:
    body = call.body
    shape = body.get("response_format") or {}
    last = messages[-1] if messages else {}
    limit = body.get("max_completion_tokens")
    stops = body.get("stop") or ()
    return Wish(
        question=text.last_user_text(messages),
        fault=call.fault,
        tool_result=text.plain_text(last.get("content")) if last.get("role") == "tool" else None,
        prefix=_prefix(messages),
        limit=body.get("max_tokens") if limit is None else limit,
        stops=(stops,) if isinstance(stops, str) else stops,
        calls=_names_to_call(body, last),
        tools=_schemas(body),
        as_json=shape.get("type") in {"json_object", "json_schema"},
        json_schema=(shape.get("json_schema") or {}).get("schema"),
    )


def _prefix(messages: list[dict[str, Any]]) -> str:
    """The beginning of the answer, if the caller put words in the assistant's mouth."""
    last = messages[-1] if messages else {}
    return text.plain_text(last.get("content")) if last.get("role") == "assistant" else ""


def _schemas(body: dict[str, Any]) -> dict[str, object]:
    functions = [tool.get("function") or {} for tool in body.get("tools") or ()]
    return {str(item.get("name")): item.get("parameters") or {} for item in functions}


def _names_to_call(body: dict[str, Any], last: dict[str, Any]) -> tuple[str, ...]:
    tools, tool_choice = _schemas(body), body.get("tool_choice")
    if not tools or tool_choice == "none" or last.get("role") != "user":
        return ()
    if isinstance(tool_choice, dict):
        return (str((tool_choice.get("function") or {}).get("name")),)
    asked = text.requested_calls(text.plain_text(last.get("content")))
    return asked or (next(iter(tools)),) if tool_choice == "required" else asked


def _call_id(call: Call, choice: int, index: int) -> str:
    return f"call_sim{call.seq:010d}{choice:03d}{index:03d}"


def _tool_call(call: Call, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    made: dict[str, Any] = {"id": call_id, "type": "function", "function": function}
    if "extra" in call.fault.flags:
        made["extra_content"] = openai_signatures.extra_content(call_id)
    return made


def _whole(call: Call, choices: list[Choice], usage: dict[str, Any]) -> bytes:
    body = {
        "id": f"chatcmpl-sim{call.seq:012d}",
        "object": "chat.completion",
        "created": CREATED,
        "model": call.model,
        "choices": [
            {
                "index": index,
                "message": _message(call, index, choice),
                "logprobs": None,
                "finish_reason": ENDINGS[choice.ending],
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if "nousage" in call.fault.flags:
        del body["usage"]
    return encode(body)


def _message(call: Call, index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text or None if choice.calls else choice.text,
        "refusal": None,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = "".join(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = [
            _tool_call(call, _call_id(call, index, place), tool.name, tool.arguments)
            for place, tool in enumerate(choice.calls)
        ]
    return message


def _events(call: Call, choices: list[Choice], usage: dict[str, Any]) -> Iterator[Event]:
    wants_usage = bool((call.body.get("stream_options") or {}).get("include_usage"))
    sends_usage = wants_usage and "nousage" not in call.fault.flags
    head = encode(
        {
            "id": f"chatcmpl-sim{call.seq:012d}",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": call.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
    )[:-1]
    tail = b',"usage":null}' if sends_usage else b"}"
    yield from _choice_events(call, choices, head, tail)
    if sends_usage:
        counted = head + b',"choices":[],"usage":' + encode(usage) + b"}"
        yield Event(Kind.USAGE, counted, reports_usage=True)
    yield Event(Kind.DONE, b"[DONE]")


def _choice_events(call: Call, choices: list[Choice], head: bytes, tail: bytes) -> Iterator[Event]:
    starts = [
        b'%b,"choices":[{"index":%d,"delta":' % (head, index) for index in range(len(choices))
    ]
    middle = b',"logprobs":null,"finish_reason":null}]' + tail
    for start, choice in zip(starts, choices, strict=True):
        content: str | None = None if choice.calls else ""
        role = {"role": "assistant", "content": content, "refusal": None}
        yield Event(Kind.ROLE, start + encode(role) + middle)
    turns = [_deltas(call, index, choice) for index, choice in enumerate(choices)]
    running = list(zip(starts, turns, strict=True))
    while running:
        still = []
        for start, deltas in running:
            if (delta := next(deltas, None)) is not None:
                pieces, data = delta
                yield Event(Kind.CONTENT, start + data + middle, "", pieces)
                still.append((start, deltas))
        running = still
    for start, choice in zip(starts, choices, strict=True):
        ending = ENDINGS[choice.ending].encode()
        end = b'{},"logprobs":null,"finish_reason":"%b"}]' % ending
        yield Event(Kind.FINISH, start + end + tail)


def _deltas(call: Call, index: int, choice: Choice) -> Iterator[tuple[int, bytes]]:
    """One choice's deltas with the number of content pieces in each."""
    for piece in choice.reasoning:
        yield 0, b'{"reasoning_content":%b}' % _quoted(piece)
    for piece in choice.content:
        yield 1, b'{"content":%b}' % _quoted(piece)
    for place, tool in enumerate(choice.calls):
        opening = _tool_call(call, _call_id(call, index, place), tool.name, "")
        yield 0, b'{"tool_calls":[%b]}' % encode({"index": place, **opening})
    for place, piece in interleave(choice.calls):
        delta = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
        yield 0, delta % (place, _quoted(piece))


@lru_cache(maxsize=16_384)
def _quoted(piece: str) -> bytes:
    return encode(piece)
