"""``POST /v1/chat/completions``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols.errors import OPENAI
from gateway.protocols.openai_chat import passthrough
from gateway.relay import call_plain, open_stream

chat = Blueprint("openai_chat")


@chat.post("/chat/completions")
async def create(request: Request) -> HTTPResponse | None:
    deps = request.app.ctx.deps
    call = call_of(request, OPENAI, "chat", passthrough.decode)
    if call.request.stream:
        await answers.stream(request, await open_stream(deps, call))
        return None
    return answers.plain(await call_plain(deps, call))
