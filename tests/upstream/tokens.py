"""How the simulator counts tokens, simple enough for a test to recompute.

Text costs one token per four UTF-8 bytes, rounded up. A message costs four tokens, plus its
text, plus 85 per image and 50 per audio or file part, plus name and arguments of its tool
calls. Tool definitions cost their compact JSON with sorted keys. An answer costs one token per
piece it is sent in, whatever the piece holds.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 85
TOKENS_PER_ATTACHMENT = 50

_sorted_json = msgspec.json.Encoder(order="sorted")


def count_text(text: str) -> int:
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def count_part(part: object) -> int:
    if isinstance(part, str):
        return count_text(part)
    if not isinstance(part, dict):
        return 0
    kind = part.get("type")
    if kind in {"image_url", "image", "input_image"}:
        return TOKENS_PER_IMAGE
    if kind in {"input_audio", "file", "document"}:
        return TOKENS_PER_ATTACHMENT
    text = part.get("text", part.get("refusal"))
    return count_text(text) if isinstance(text, str) else 0


def count_content(content: object) -> int:
    if isinstance(content, list):
        return sum(count_part(part) for part in content)
    return count_part(content)


def count_message(message: dict[str, Any]) -> int:
    total = TOKENS_PER_MESSAGE + count_content(message.get("content"))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        total += count_text(str(function.get("name", "")))
        total += count_text(str(function.get("arguments", "")))
    return total


def count_prompt(messages: Iterable[dict[str, Any]], tools: object = None) -> int:
    total = sum(count_message(message) for message in messages)
    return total + count_text(_sorted_json.encode(tools).decode()) if tools else total
