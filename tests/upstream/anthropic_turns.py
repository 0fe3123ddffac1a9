"""How turns must fit together: calls of tools with their results, thoughts with signatures."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.upstream.anthropic_shapes import sign

Turn = tuple[str, list[dict[str, Any]]]


def find_broken_turn(turns: Sequence[Turn]) -> str | None:
    before_and_after: list[Turn] = [("assistant", []), *turns, ("user", [])]
    seen: set[str] = set()
    for index, (before, turn) in enumerate(pairwise(before_and_after)):
        found = _misplaced(index, turn) or _unmatched(index, before, turn)
        repeated = seen & set(_used(turn))
        if found is None and (repeated or len(set(_used(turn))) < len(_used(turn))):
            found = f"messages.{index}: `tool_use` ids must be unique"
        if found is not None:
            return found
        seen.update(_used(turn))
    return None


def find_unsigned_turn(turns: Sequence[Turn]) -> str | None:
    for index, turn in enumerate(turns):
        if not _used(turn):
            continue
        first = turn[1][0]
        if first["type"] != "thinking":
            return (
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but"
                f" found `{first['type']}`. When `thinking` is enabled, a final `assistant`"
                " message must start with a thinking block (preceeding the lastmost set of"
                " `tool_use` and `tool_result` blocks)."
            )
        if first["signature"] != sign(first["thinking"]):
            return f"messages.{index}.content.0: Invalid `signature` in `thinking` block"
    return None


def _misplaced(index: int, turn: Turn) -> str | None:
    kinds = [block["type"] == "tool_result" for block in turn[1]]
    if kinds == sorted(kinds, reverse=True):
        return None
    return f"messages.{index}: `tool_result` blocks must come first in the content of a message"


def _unmatched(index: int, before: Turn, turn: Turn) -> str | None:
    used, answered = _used(before), _answered(turn)
    missing = [each for each in used if each not in answered]
    if missing:
        return (
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks"
            f" immediately after: {', '.join(missing)}. Each `tool_use` block must have a"
            " corresponding `tool_result` block in the next message."
        )
    unexpected = next((each for each in answered if each not in used), None)
    if unexpected is not None:
        return (
            f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks:"
            f" {unexpected}. Each `tool_result` block must have a corresponding `tool_use` block"
            " in the previous message."
        )
    if len(set(answered)) < len(answered):
        return f"messages.{index}: each tool_use must have a single result."
    return None


def _used(turn: Turn) -> list[str]:
    return [block["id"] for block in turn[1] if block["type"] == "tool_use"]


def _answered(turn: Turn) -> list[str]:
    return [block["tool_use_id"] for block in turn[1] if block["type"] == "tool_result"]
