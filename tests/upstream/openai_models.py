"""GET /models with the names a demo should offer, and GET /models/{id} for any name."""

from tests.upstream.openai_shapes import CREATED, answer_headers, encode
from tests.upstream.reply import Call, Reply

DEMO_MODELS = ("demo-chat", "demo-chat-mini", "demo-reasoner", "demo-embedding", "demo-moderation")


def answer(call: Call) -> Reply:
    data = [_describe(name) for name in DEMO_MODELS]
    return Reply(encode({"object": "list", "data": data}), headers=answer_headers(call))


def answer_one(call: Call) -> Reply:
    return Reply(encode(_describe(call.model)), headers=answer_headers(call))


def _describe(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "sluice-demo"}
