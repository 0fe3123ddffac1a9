"""``POST /v1/moderations``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols import openai_moderations
from gateway.protocols.errors import OPENAI
from gateway.relay import call_plain

moderations = Blueprint("openai_moderations")


@moderations.post("/moderations")
async def create(request: Request) -> HTTPResponse:
    call = call_of(request, OPENAI, "moderations", openai_moderations.decode)
    return answers.plain(await call_plain(request.app.ctx.deps, call))
