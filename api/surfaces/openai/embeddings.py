"""``POST /v1/embeddings``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols import openai_embeddings
from gateway.protocols.errors import OPENAI
from gateway.relay import call_plain

embeddings = Blueprint("openai_embeddings")


@embeddings.post("/embeddings")
async def create(request: Request) -> HTTPResponse:
    call = call_of(request, OPENAI, "embeddings", openai_embeddings.decode)
    return answers.plain(await call_plain(request.app.ctx.deps, call))
