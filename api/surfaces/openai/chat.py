"""``POST /v1/chat/completions``."""

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols.openai_chat import passthrough, watch
from gateway.relay import Read, call_plain, open_stream

chat = Blueprint("openai_chat")


@chat.post("/chat/completions")
async def create(request: Request) -> HTTPResponse | None:
    deps = request.app.ctx.deps
    call = call_of(request, "openai", "chat", passthrough.decode)
    if call.request.stream:
        await answers.stream(request, await open_stream(deps, call))
        return None
    return answers.plain(await call_plain(deps, call, _read))


def _read(body: bytes, asked_model: str) -> Read | None:
    answer = watch.read_answer(body, asked_model)
    return Read(answer.body, answer.usage, answer.output_estimate) if answer is not None else None
