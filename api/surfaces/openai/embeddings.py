"""``POST /v1/embeddings``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols import openai_embeddings
from gateway.relay import Read, call_plain

embeddings = Blueprint("openai_embeddings")


@embeddings.post("/embeddings")
async def create(request: Request) -> HTTPResponse:
    call = call_of(request, "openai", "embeddings", openai_embeddings.decode)
    return answers.plain(await call_plain(request.app.ctx.deps, call, _read))


def _read(body: bytes, asked_model: str) -> Read | None:
    answer = openai_embeddings.read_answer(body, asked_model)
    return Read(answer.body, answer.usage, 0) if answer is not None else None
