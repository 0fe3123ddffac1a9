"""From the core's answers to HTTP: plain bodies and streams."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import cast

from sanic import HTTPResponse

from api import rate_limits
from api.context import Request
from api.middleware import names_of
from gateway import money
from gateway.relay import Entry, PlainAnswer, Stream

STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def plain(answer: PlainAnswer) -> HTTPResponse:
    headers = _facts(answer.entry, answer.answered_model, len(answer.entry.attempts))
    headers["x-sluice-cost-usd"] = money.format_usd(answer.charge_nanos)
    return Plain(answer.body, 200, headers=headers, content_type="application/json")


class Plain(HTTPResponse):
    """Its headers are ours, and clean: Sanic's cleaning of each costs more than the rest."""

    __slots__ = ()

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        self.headers["content-type"] = self.content_type
        return ((name.encode(), str(value).encode()) for name, value in self.headers.items())


def _facts(entry: Entry, model: str, attempts: int) -> dict[str, str]:
    """What the headers of every proxied answer say."""
    return {
        "x-sluice-request": entry.call.reference,
        "x-sluice-model": model,
        "x-gateway-model": model,
        "x-sluice-attempts": str(attempts),
        **rate_limits.headers_of(entry.call.dialect, entry.rate_limits),
    }


async def stream(request: Request, answer: Stream) -> None:
    """Send a stream event by event; leaving early ends it upstream at once.

    A client that stops reading would pin the upstream, so each send has a limit.
    """
    headers = {
        **STREAM_HEADERS,
        # The attempt that is under way is not on the list yet.
        **_facts(answer.entry, answer.answered_model, len(answer.entry.attempts) + 1),
        **names_of(request),
    }
    patience = Patience(request, request.app.ctx.settings.api.send_timeout_seconds)
    async with aclosing(answer), patience:
        response = await request.respond(
            status=200, headers=headers, content_type="text/event-stream; charset=utf-8"
        )
        async for data in answer:
            patience.begin()
            await response.send(data)
            patience.end()
        patience.begin()
        await response.eof()


class Patience:
    """Cuts the connection of a client that does not read; the request is then cancelled.

    One timer for the whole stream looks at the send that is under way, because a time-out
    of its own for every event costs more than the event.
    """

    def __init__(self, request: Request, seconds: float) -> None:
        self._transport = cast("asyncio.WriteTransport", request.transport)
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = 0.0

    def begin(self) -> None:
        self._since = self._loop.time()

    def end(self) -> None:
        self._since = 0.0

    async def __aenter__(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look)

    async def __aexit__(self, *_: object) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._since and self._loop.time() - self._since >= self._seconds:
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(self._seconds / 2, self._look)
