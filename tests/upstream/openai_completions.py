"""POST /completions, the legacy route, whole and streamed."""

from collections.abc import Iterator
from typing import Any

from tests.upstream import tokens
from tests.upstream.answering import Choice, Wish, choose
from tests.upstream.openai_shapes import (
    CREATED,
    FINGERPRINT,
    answer_headers,
    build_usage,
    encode,
    missing,
)
from tests.upstream.reply import EVENT_STREAM, Call, Event, Kind, Reply


def answer(call: Call) -> Reply:
    prompts = _prompts(call.body.get("prompt"))
    if not prompts:
        return missing("prompt")
    choices = [choose(_wish(call, prompt)) for prompt in prompts]
    usage = build_usage(
        call,
        sum(len(item) if isinstance(item, list) else tokens.count_text(item) for item in prompts),
        sum(choice.tokens for choice in choices),
    )
    headers = answer_headers(call)
    if call.body.get("stream") and "jsonstream" not in call.fault.flags:
        events = _events(call, choices, usage)
        return Reply(events=events, content_type=EVENT_STREAM, headers=headers, usage=usage)
    reported = {} if "nousage" in call.fault.flags else {"usage": usage}
    whole = [_choice(index, choice.text, choice.ending) for index, choice in enumerate(choices)]
    body = {**_head(call), "choices": whole, **reported}
    pieces = sum(len(choice.content) for choice in choices)
    return Reply(encode(body), headers=headers, usage=usage, pieces=pieces)


def _prompts(prompt: object) -> list[str | list[int]]:
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list):
        return []
    return [prompt] if all(isinstance(item, int) for item in prompt) else prompt


def _wish(call: Call, prompt: str | list[int]) -> Wish:
    stops = call.body.get("stop") or ()
    return Wish(
        question=prompt if isinstance(prompt, str) else f"{len(prompt)} tokens",
        fault=call.fault,
        limit=call.body.get("max_tokens"),
        stops=(stops,) if isinstance(stops, str) else stops,
    )


def _head(call: Call) -> dict[str, Any]:
    return {
        "id": f"cmpl-sim{call.seq:012d}",
        "object": "text_completion",
        "created": CREATED,
        "model": call.model,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(index: int, words: str, ending: str | None) -> dict[str, Any]:
    return {"text": words, "index": index, "logprobs": None, "finish_reason": ending}


def _events(call: Call, choices: list[Choice], usage: dict[str, Any]) -> Iterator[Event]:
    wants_usage = bool((call.body.get("stream_options") or {}).get("include_usage"))
    sends_usage = wants_usage and "nousage" not in call.fault.flags
    head = {**_head(call), "usage": None} if sends_usage else _head(call)
    for index, choice in enumerate(choices):
        for piece in choice.content:
            data = encode({**head, "choices": [_choice(index, piece, None)]})
            yield Event(Kind.CONTENT, data, "", 1)
        data = encode({**head, "choices": [_choice(index, "", choice.ending)]})
        yield Event(Kind.FINISH, data)
    if sends_usage:
        data = encode({**head, "choices": [], "usage": usage})
        yield Event(Kind.USAGE, data, reports_usage=True)
    yield Event(Kind.DONE, b"[DONE]")
