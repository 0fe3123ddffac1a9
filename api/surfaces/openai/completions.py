"""``POST /v1/completions``, the route from before chat."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols import openai_completions
from gateway.protocols.errors import OPENAI
from gateway.relay import call_plain, open_stream

completions = Blueprint("openai_completions")


@completions.post("/completions")
async def create(request: Request) -> HTTPResponse | None:
    deps = request.app.ctx.deps
    call = call_of(request, OPENAI, "completions", openai_completions.decode)
    if call.request.stream:
        await answers.stream(request, await open_stream(deps, call))
        return None
    return answers.plain(await call_plain(deps, call))
