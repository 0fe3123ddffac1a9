"""GET /v1/models and /v1/models/{id} in Anthropic's form, the same names as in OpenAI's."""

from tests.upstream.anthropic_shapes import answer_headers, encode
from tests.upstream.openai_models import DEMO_MODELS
from tests.upstream.reply import Call, Reply


def answer(call: Call) -> Reply:
    body = {
        "data": [_describe(name) for name in DEMO_MODELS],
        "has_more": False,
        "first_id": DEMO_MODELS[0],
        "last_id": DEMO_MODELS[-1],
    }
    return Reply(encode(body), headers=answer_headers(call))


def answer_one(call: Call) -> Reply:
    return Reply(encode(_describe(call.model)), headers=answer_headers(call))


def _describe(name: str) -> dict[str, str]:
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2025-06-15T15:06:40Z",
        "lifecycle": "active",
    }
