"""Thought signatures on tool calls, as a vendor sends them who wants them back."""

import base64
import hashlib
from typing import Any

OURS = "call_sim"


def extra_content(call_id: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"sluice-demo:{call_id}".encode()).digest()
    return {"google": {"thought_signature": base64.b64encode(digest).decode()}}


def are_complete(messages: list[dict[str, Any]]) -> bool:
    """Whether every tool call that we made came back with what we gave it."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    ours = [call for call in calls if str(call.get("id")).startswith(OURS)]
    return all(call.get("extra_content") == extra_content(call["id"]) for call in ours)
