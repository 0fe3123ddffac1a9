"""Addresses for load balancers and supervisors; public, and without secrets."""

from sanic import Blueprint, HTTPResponse
from sanic.response import json

from api.context import Request

system = Blueprint("system")


@system.get("/healthz")
async def is_alive(_: Request) -> HTTPResponse:
    """The process answers; nothing else is asked."""
    return json({"status": "ok"})


@system.get("/readyz")
async def is_ready(request: Request) -> HTTPResponse:
    """Calls would be served: Redis is there, and this process is not stopping."""
    context = request.app.ctx
    is_open = context.deps.gate.is_open
    ready = is_open and not context.is_stopping
    body = {"status": "ok" if ready else "unavailable", "redis": is_open}
    return json(body, status=200 if ready else 503)


@system.get("/status")
async def status(request: Request) -> HTTPResponse:
    """The contract of the operator's dashboard: ``status`` is "ok" when all is well."""
    is_open = request.app.ctx.deps.gate.is_open
    return json({"status": "ok" if is_open else "degraded"})
