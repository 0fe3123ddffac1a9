"""``POST /v1/messages``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols.anthropic_messages import passthrough
from gateway.protocols.errors import ANTHROPIC
from gateway.relay import call_plain, open_stream

messages = Blueprint("anthropic_messages")


@messages.post("/messages")
async def create(request: Request) -> HTTPResponse | None:
    deps = request.app.ctx.deps
    call = call_of(request, ANTHROPIC, "chat", passthrough.decode)
    if call.request.stream:
        await answers.stream(request, await open_stream(deps, call))
        return None
    return answers.plain(await call_plain(deps, call))
