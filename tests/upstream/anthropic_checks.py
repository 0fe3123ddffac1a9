"""What Anthropic refuses with 400 in a request, so that a wrong conversion shows."""

from collections.abc import Callable
from typing import Any

from tests.upstream.anthropic_prompt import list_blocks, merge_turns, wants_thinking
from tests.upstream.anthropic_request import Counted, Request, find_misfit
from tests.upstream.anthropic_turns import find_broken_turn, find_unsigned_turn

Body = dict[str, Any]

# OpenAI's parameters that Anthropic does not have.
FOREIGN = (
    "max_completion_tokens",
    "stream_options",
    "n",
    "stop",
    "response_format",
    "parallel_tool_calls",
    "reasoning_effort",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "user",
    "functions",
    "function_call",
    "modalities",
    "store",
    "prediction",
)


def find_problem(body: Body, *, needs_limit: bool, checks_signatures: bool) -> str | None:
    """The vendor's complaint, if there is one."""
    shape = Request if needs_limit else Counted
    found = _foreign(body) or _roles(body) or find_misfit(body, shape)
    if found is None:
        found = next((problem for check in CHECKS if (problem := check(body))), None)
    turns = merge_turns(body["messages"]) if found is None else []
    found = found or find_broken_turn(turns)
    if found is None and checks_signatures and wants_thinking(body):
        return find_unsigned_turn(turns)
    return found


def _foreign(body: Body) -> str | None:
    found = next((name for name in FOREIGN if name in body), None)
    return None if found is None else f"{found}: Extra inputs are not permitted"


def _roles(body: Body) -> str | None:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if role == "system":
            return (
                'messages: Unexpected role "system". The Messages API accepts a top-level `system`'
                ' parameter, not "system" as an input message role.'
            )
        if role not in {"user", "assistant"}:
            return f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant".'
    return None


def _first(body: Body) -> str | None:
    if not body["messages"]:
        return "messages: at least one message is required"
    if body["messages"][0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    return None


def _empty(body: Body) -> str | None:
    last = len(body["messages"]) - 1
    for index, message in enumerate(body["messages"]):
        if not message["content"] and (index < last or message["role"] == "user"):
            return (
                f"messages.{index}: all messages must have non-empty content except for the"
                " optional final assistant message"
            )
        if found := _empty_text(message["content"]):
            return f"messages: {found}"
    found = _empty_text(body.get("system") or [])
    return f"system: {found}" if found else None


def _empty_text(content: object) -> str | None:
    for block in list_blocks(content):
        if block["type"] == "tool_result" and (found := _empty_text(block.get("content") or [])):
            return found
        if block["type"] == "text" and not block["text"]:
            return "text content blocks must be non-empty"
        if block["type"] == "text" and not block["text"].strip():
            return "text content blocks must contain non-whitespace text"
    return None


def _ending(body: Body) -> str | None:
    last = body["messages"][-1]
    blocks = list_blocks(last["content"])
    if last["role"] == "user" or not blocks or blocks[-1]["type"] != "text":
        return None
    said = blocks[-1]["text"]
    if said == said.rstrip():
        return None
    return "messages: final assistant content cannot end with trailing whitespace"


def _stops(body: Body) -> str | None:
    if all(stop.strip() for stop in body.get("stop_sequences") or ()):
        return None
    return "stop_sequences: each stop sequence must contain non-whitespace"


def _tools(body: Body) -> str | None:
    names = [tool["name"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice")
    if len(set(names)) < len(names):
        return "tools: Tool names must be unique."
    if choice and not names and choice["type"] != "none":
        return "tool_choice: may only be specified while providing tools."
    if choice and choice["type"] == "tool" and choice["name"] not in names:
        return f"Tool '{choice['name']}' not found in provided tools"
    return None


def _budget(body: Body) -> str | None:
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    if budget < body.get("max_tokens", budget + 1):
        return None
    return "`max_tokens` must be greater than `thinking.budget_tokens`."


def _thinking(body: Body) -> str | None:
    if not wants_thinking(body):
        return None
    if body.get("temperature") not in {None, 1}:
        return "`temperature` may only be set to 1 when thinking is enabled."
    if body.get("top_k") is not None:
        return "`top_k` must be unset when thinking is enabled."
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


CHECKS: tuple[Callable[[Body], str | None], ...] = (
    _first,
    _empty,
    _ending,
    _stops,
    _tools,
    _budget,
    _thinking,
)
