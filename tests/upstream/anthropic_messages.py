"""POST /v1/messages as Anthropic speaks it, whole and streamed, and its count_tokens."""

from typing import Any

import msgspec

from tests.upstream.answering import Choice, ToolCall, choose
from tests.upstream.anthropic_checks import find_problem
from tests.upstream.anthropic_prompt import build_wish, count_prompt
from tests.upstream.anthropic_shapes import (
    answer_headers,
    build_usage,
    encode,
    fail,
    invalid,
    journal_usage,
    sign,
)
from tests.upstream.anthropic_stream import describe_end, describe_start, list_events, tool_id
from tests.upstream.reply import EVENT_STREAM, Call, Reply


def answer(call: Call) -> Reply:
    if (refusal := _refuse(call, needs_limit=True)) is not None:
        return refusal
    choice = choose(build_wish(call))
    usage = build_usage(call, count_prompt(call.body), choice.tokens)
    noted = journal_usage(usage, len(choice.reasoning))
    headers = answer_headers(call)
    if call.body.get("stream") and "jsonstream" not in call.fault.flags:
        events = list_events(call, choice, usage)
        headers["Cache-Control"] = "no-cache"
        return Reply(events=events, content_type=EVENT_STREAM, headers=headers, usage=noted)
    body = _whole(call, choice, usage)
    return Reply(body, headers=headers, usage=noted, pieces=len(choice.content))


def count(call: Call) -> Reply:
    if (refusal := _refuse(call, needs_limit=False)) is not None:
        return refusal
    fixed = call.fault.prompt_tokens
    tokens = count_prompt(call.body) if fixed is None else fixed
    return Reply(encode({"input_tokens": tokens}), headers=answer_headers(call))


def _refuse(call: Call, *, needs_limit: bool) -> Reply | None:
    if "anthropic-version" not in call.headers:
        return fail(call, "no_version")
    checks_signatures = "sigcheck" in call.fault.flags
    found = find_problem(call.body, needs_limit=needs_limit, checks_signatures=checks_signatures)
    if found is not None:
        return invalid(call, found)
    if "noprefix" in call.fault.flags and call.body["messages"][-1]["role"] == "assistant":
        return fail(call, "noprefix")
    return None


def _whole(call: Call, choice: Choice, usage: dict[str, Any]) -> bytes:
    body = {**describe_start(call, usage), "content": _content(call, choice)}
    return encode(body | describe_end(choice))


def _content(call: Call, choice: Choice) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if choice.reasoning:
        thought = "".join(choice.reasoning)
        content.append({"type": "thinking", "thinking": thought, "signature": sign(thought)})
    if choice.content:
        content.append({"type": "text", "text": choice.text})
    for index, tool in enumerate(choice.calls):
        made = {"type": "tool_use", "id": tool_id(call, index), "name": tool.name}
        content.append({**made, "input": _input(tool)})
    return content


def _input(tool: ToolCall) -> object:
    """Arguments that were cut by the limit are no JSON, and the vendor has nothing else to say."""
    try:
        return msgspec.json.decode(tool.arguments)
    except msgspec.DecodeError:
        return {}
