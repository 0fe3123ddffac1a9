"""From an HTTP request to a call of the core."""

from collections.abc import Callable, Iterator

from api import client_address
from api.context import Request
from gateway import clock
from gateway.errors import InvalidApiKeyError
from gateway.protocols.errors import Dialect
from gateway.protocols.exchange import Request as Decoded
from gateway.relay import Call, Visitor, get_visitor

MAX_AGENT = 200
SUBPROTOCOL_KEY = "openai-insecure-api-key."
# What vendors' features need and what ties traces together; nothing else of a client's
# headers travels upstream.
FORWARDED = ("anthropic-beta", "anthropic-version", "openai-beta", "traceparent", "tracestate")
REGION = "x-gateway-region"
LONGEST_REGION = 64


def api_key(request: Request) -> str:
    """The API key of a client, wherever its SDK puts it; raises InvalidApiKeyError."""
    headers = request.headers
    places = (
        _bearer(headers.get("authorization", "")),
        headers.get("x-api-key", ""),
        headers.get("api-key", ""),
        *_offered(headers.getall("sec-websocket-protocol", [])),
    )
    for place in places:
        if key := str(place).strip():
            return key
    raise InvalidApiKeyError("No API key was sent; use 'Authorization: Bearer <key>'.")


def _bearer(header: str) -> str:
    scheme, *rest = header.split(maxsplit=1) or [""]
    return rest[0] if rest and scheme.lower() == "bearer" else ""


def _offered(lines: list[str]) -> Iterator[str]:
    """Browsers cannot set headers on a WebSocket: their keys come as sub-protocols."""
    for protocol in ",".join(lines).split(","):
        offered = protocol.strip()
        if offered.startswith(SUBPROTOCOL_KEY):
            yield offered.removeprefix(SUBPROTOCOL_KEY)


def call_of(
    request: Request, dialect: Dialect, operation: str, decode: Callable[[bytes], Decoded]
) -> Call:
    """The call; who presents no key at all is refused before the body is looked at."""
    return Call(
        reference=request.ctx.reference,
        surface=dialect.name,
        operation=operation,
        api_key=api_key(request),
        request=decode(request.body),
        dialect=dialect,
        started=clock.monotonic(),
        started_ms=clock.now_ms(),
        client_ip=client_address.of(request),
        user_agent=printable(request.headers.get("user-agent", "")),
        region=request.headers.get(REGION, "")[:LONGEST_REGION] or None,
        headers=_forwarded(request),
    )


async def visitor_of(request: Request) -> Visitor:
    """Whoever asks about himself; raises the error that refuses the key."""
    key, address = api_key(request), client_address.of(request)
    return await get_visitor(request.app.ctx.deps, key, address)


def _forwarded(request: Request) -> dict[str, str]:
    """What no client library could send is not sent on either."""
    found = ((name, request.headers.get(name)) for name in FORWARDED)
    return {name: value for name, value in found if value and _is_plain(value)}


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def printable(text: str) -> str:
    """Header bytes that are no UTF-8 arrive as lone surrogates, which no database keeps."""
    cut = text[:MAX_AGENT]
    if _is_plain(cut):
        return cut
    return "".join(c if c.isprintable() else "?" for c in cut)
