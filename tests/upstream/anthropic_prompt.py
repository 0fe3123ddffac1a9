"""Understands Anthropic's request: what is wished, and what the prompt costs.

The same conversation in OpenAI's form is understood the same and gets the same words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tests.upstream import text, tokens
from tests.upstream.answering import Wish
from tests.upstream.anthropic_shapes import encode
from tests.upstream.faults import DEFAULT_REASONING
from tests.upstream.reply import Call

Block = dict[str, Any]


def list_blocks(content: object) -> list[Block]:
    """The content as blocks, also if it was written as a string."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content if isinstance(content, list) else []


def merge_turns(messages: Iterable[dict[str, Any]]) -> list[tuple[str, list[Block]]]:
    """Neighbours of the same role are one turn, as the vendor joins them."""
    turns: list[tuple[str, list[Block]]] = []
    for message in messages:
        blocks = list_blocks(message["content"])
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks)
        else:
            turns.append((message["role"], list(blocks)))
    return turns


def wants_thinking(body: dict[str, Any]) -> bool:
    return (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}


def find_prefix(messages: Sequence[dict[str, Any]]) -> str:
    """The beginning of the answer, if the caller put words in the assistant's mouth."""
    last = messages[-1]
    if last["role"] != "assistant":
        return ""
    said = (block for block in list_blocks(last["content"]) if block["type"] == "text")
    return "".join(block["text"] for block in said)


def build_wish(call: Call) -> Wish:
    body, messages = call.body, call.body["messages"]
    shape = (body.get("output_config") or {}).get("format") or body.get("output_format")
    fault = call.fault
    if wants_thinking(body) and fault.reasoning is None:
        fault = replace(fault, reasoning=DEFAULT_REASONING)
    return Wish(
        question=_question(messages),
        fault=fault,
        tool_result=_tool_result(messages[-1]),
        prefix=find_prefix(messages),
        limit=body["max_tokens"],
        stops=body.get("stop_sequences") or (),
        calls=_names_to_call(body, messages[-1]),
        tools={tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or ()},
        as_json=bool(shape),
        json_schema=(shape or {}).get("schema"),
    )


def count_prompt(body: dict[str, Any]) -> int:
    """As ``tokens`` counts it, where a system prompt and every tool result are messages too."""
    messages = list(body["messages"])
    if body.get("system"):
        messages.append({"role": "system", "content": body["system"]})
    total = sum(_count_message(list_blocks(message["content"])) for message in messages)
    return total + tokens.count_prompt((), body.get("tools"))


def _count_message(blocks: list[Block]) -> int:
    results = [block for block in blocks if block["type"] == "tool_result"]
    others = [block for block in blocks if block["type"] != "tool_result"]
    total = sum(tokens.count_message(block) for block in results)
    if results and not others:
        return total
    calls = [{"function": _as_function(block)} for block in others if block["type"] == "tool_use"]
    parts = [block for block in others if block["type"] != "tool_use"]
    return total + tokens.count_message({"content": parts, "tool_calls": calls})


def _as_function(block: Block) -> dict[str, str]:
    return {"name": block["name"], "arguments": encode(block["input"]).decode()}


def _question(messages: Sequence[dict[str, Any]]) -> str:
    """What the user wrote last; results of tools are not his words."""
    for message in reversed(messages):
        words = [block for block in list_blocks(message["content"]) if _is_own(block)]
        if message["role"] == "user" and words:
            return text.plain_text(words)
    return ""


def _is_own(block: Block) -> bool:
    return bool(block["type"] != "tool_result")


def _tool_result(last: dict[str, Any]) -> str | None:
    blocks = list_blocks(last["content"])
    if last["role"] != "user" or not blocks or any(_is_own(block) for block in blocks):
        return None
    return text.plain_text(blocks[-1].get("content"))


def _names_to_call(body: dict[str, Any], last: dict[str, Any]) -> tuple[str, ...]:
    tools, tool_choice = body.get("tools"), body.get("tool_choice") or {"type": "auto"}
    own = [block for block in list_blocks(last["content"]) if _is_own(block)]
    if not tools or tool_choice["type"] == "none" or last["role"] != "user" or not own:
        return ()
    if tool_choice["type"] == "tool":
        return (tool_choice["name"],)
    asked = text.requested_calls(text.plain_text(own))
    if tool_choice["type"] == "any" and not asked:
        asked = (tools[0]["name"],)
    return asked[:1] if tool_choice.get("disable_parallel_tool_use") else asked
