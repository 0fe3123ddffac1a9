"""POST /moderations: flags the category that the text names with ``flag:CATEGORY``."""

from typing import Any

from tests.upstream.openai_shapes import answer_headers, encode, missing
from tests.upstream.reply import Call, Reply
from tests.upstream.text import plain_text

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def answer(call: Call) -> Reply:
    given = call.body.get("input")
    if not given:
        return missing("input")
    is_batch = isinstance(given, list) and all(isinstance(item, str) for item in given)
    texts = given if is_batch else [plain_text(given)]
    body = {
        "id": f"modr-sim{call.seq:012d}",
        "model": call.model or "demo-moderation",
        "results": [_judge(text) for text in texts],
    }
    return Reply(encode(body), headers=answer_headers(call))


def _judge(text: str) -> dict[str, Any]:
    named = {word.removeprefix("flag:") for word in text.split() if word.startswith("flag:")}
    flags = {category: category in named for category in CATEGORIES}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": {name: 0.99 if flag else 0.01 for name, flag in flags.items()},
        "category_applied_input_types": {
            name: ["text"] if flag else [] for name, flag in flags.items()
        },
    }
