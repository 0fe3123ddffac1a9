"""From the core's answers to HTTP: plain bodies and streams."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any, cast

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
    patience = Patience(request)
    async with aclosing(answer), patience:
        response = await request.respond(
            status=200, headers=headers, content_type="text/event-stream; charset=utf-8"
        )
        patience.keep_alive(response, answer.entry.call.dialect.heartbeat)
        async for data in answer:
            patience.begin()
            await response.send(data)
            patience.end()
        patience.begin()
        await response.eof()


class Patience:
    """Cuts the connection of a client that does not read, and comforts one that waits.

    One timer for the whole stream looks at what is under way, because a time-out of its own
    for every event costs more than the event.
    """

    def __init__(self, request: Request) -> None:
        settings = request.app.ctx.settings.api
        self._transport = cast("asyncio.WriteTransport", request.transport)
        self._seconds = settings.send_timeout_seconds
        self._silence_seconds = settings.stream_ping_seconds
        self._look_seconds = min(self._seconds / 2, self._silence_seconds / 3)
        self._loop = asyncio.get_running_loop()
        self._since = 0.0  # when the send that is under way began
        self._last = self._loop.time()  # when the last one ended
        self._beat: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._beating: asyncio.Task[None] | None = None

    def keep_alive(self, response: HTTPResponse, heartbeat: bytes) -> None:
        """From now on silence is filled with heartbeats."""
        self._beat = lambda: response.send(heartbeat)

    def begin(self) -> None:
        self._since = self._loop.time()

    def end(self) -> None:
        self._last = self._loop.time()
        self._since = 0.0

    async def __aenter__(self) -> None:
        self._timer = self._loop.call_later(self._look_seconds, self._look)

    async def __aexit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._beating is not None:
            self._beating.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if self._since and now - self._since >= self._seconds:
            self._transport.abort()
            return
        if not self._since and self._beat and now - self._last >= self._silence_seconds:
            self._last = now
            # Each send is one piece of the body, so it never falls into an event.
            self._beating = self._loop.create_task(self._beat())
        self._timer = self._loop.call_later(self._look_seconds, self._look)
