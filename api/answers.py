"""From the core's answers to HTTP: plain bodies, and streams with heartbeats."""

import asyncio
from contextlib import aclosing

from sanic import HTTPResponse

from api.context import Request
from api.middleware import request_id
from gateway import money
from gateway.relay import Entry, PlainAnswer, Stream

STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
LIMIT_NAMES = {"r": "requests", "t": "tokens"}


def plain(answer: PlainAnswer) -> HTTPResponse:
    headers = _facts(answer.entry)
    headers["x-sluice-cost-usd"] = money.format_usd(answer.charge_nanos)
    return HTTPResponse(answer.body, 200, headers=headers, content_type="application/json")


def _facts(entry: Entry) -> dict[str, str]:
    """What the headers of every proxied answer say."""
    headers = {
        "x-sluice-request": entry.call.reference,
        "x-sluice-model": entry.offer.slug,
        "x-sluice-attempts": str(max(1, len(entry.attempts))),
    }
    for unit, (limit, remaining, reset_seconds) in entry.rate_limits.items():
        name = LIMIT_NAMES[unit]
        headers[f"x-ratelimit-limit-{name}"] = limit
        headers[f"x-ratelimit-remaining-{name}"] = remaining
        headers[f"x-ratelimit-reset-{name}"] = f"{reset_seconds:.3f}s"
    return headers


async def stream(request: Request, answer: Stream) -> None:
    """Send a stream event by event; leaving early ends it upstream at once.

    A client that stops reading would pin the upstream, so each send has a limit.
    """
    headers = {
        **STREAM_HEADERS,
        **_facts(answer.entry),
        "x-request-id": request_id(request),
    }
    limit = request.app.ctx.settings.api.send_timeout_seconds
    try:
        async with aclosing(answer), aclosing(answer.chunks()) as chunks:
            response = await request.respond(
                status=200, headers=headers, content_type="text/event-stream; charset=utf-8"
            )
            async for data in chunks:
                async with asyncio.timeout(limit):
                    await response.send(data)
        async with asyncio.timeout(limit):
            await response.eof()
    except TimeoutError:
        request.transport.abort()
