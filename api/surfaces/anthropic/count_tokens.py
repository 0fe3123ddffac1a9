"""``POST /v1/messages/count_tokens``: free of charge, within the rates of the policy."""

from typing import cast

from sanic import Blueprint, HTTPResponse

from api import answers
from api.context import Request
from api.incoming import call_of
from gateway.protocols.anthropic_messages import counting
from gateway.protocols.errors import ANTHROPIC
from gateway.relay import call_counting

count_tokens = Blueprint("anthropic_count_tokens")


@count_tokens.post("/messages/count_tokens")
async def create(request: Request) -> HTTPResponse:
    call = call_of(request, ANTHROPIC, "count_tokens", counting.decode)
    estimate = cast("counting.CountRequest", call.request).estimated()
    return answers.plain(await call_counting(request.app.ctx.deps, call, estimate))
