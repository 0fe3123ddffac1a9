"""What happens to every request and answer: a request id in, the same one out."""

import re

from sanic import HTTPResponse

from api.context import App, Request
from api.dialects import dialect_of
from gateway import ids
from gateway.protocols.errors import ANTHROPIC

# What a client may choose as the id that both sides log.
ACCEPTABLE = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


def register(app: App) -> None:
    app.on_request(_begin)
    app.register_middleware(_finish, "response")  # type: ignore[arg-type]


def _begin(request: Request) -> None:
    given = request.headers.get("x-request-id")
    reference = request.ctx.reference = ids.new("req")
    known = given is not None and ACCEPTABLE.match(given)
    request.ctx.request_id = str(given) if known else reference


def _finish(request: Request, response: HTTPResponse) -> None:
    response.headers.update(names_of(request))


def names_of(request: Request) -> dict[str, str]:
    """The headers that name the request."""
    name = request_id(request)
    if dialect_of(request) is ANTHROPIC:
        return {"x-request-id": name, "request-id": name}
    return {"x-request-id": name}


def request_id(request: Request) -> str:
    """Also for requests that failed before any middleware ran; always the same one."""
    if not hasattr(request.ctx, "request_id"):
        request.ctx.request_id = ids.new("req")
    return request.ctx.request_id
