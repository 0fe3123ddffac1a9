"""From an HTTP request to a call of the core."""

from collections.abc import Callable

from api import client_address
from api.context import Request
from gateway import clock
from gateway.errors import InvalidApiKeyError
from gateway.relay import Call, Decoded

MAX_AGENT = 200


def api_key(request: Request) -> str:
    """The API key of a client, wherever its SDK puts it; raises InvalidApiKeyError."""
    header = request.headers.get("authorization")
    if header:
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer" and value.strip():
            return str(value.strip())
    found = request.headers.get("x-api-key") or request.headers.get("api-key")
    if found:
        return str(found)
    raise InvalidApiKeyError("No API key was sent; use 'Authorization: Bearer <key>'.")


def call_of(
    request: Request, surface: str, operation: str, decode: Callable[[bytes], Decoded]
) -> Call:
    """The call; who presents no key at all is refused before the body is looked at."""
    return Call(
        reference=request.ctx.reference,
        surface=surface,
        operation=operation,
        api_key=api_key(request),
        request=decode(request.body),
        started=clock.monotonic(),
        started_ms=clock.now_ms(),
        client_ip=client_address.of(request),
        user_agent=printable(request.headers.get("user-agent", "")),
    )


def printable(text: str) -> str:
    """Header bytes that are no UTF-8 arrive as lone surrogates, which no database keeps."""
    cut = text[:MAX_AGENT]
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else "?" for c in cut)
