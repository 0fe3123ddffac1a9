"""The events of one upstream stream, checked, in the batches in which they arrive."""

import asyncio
from contextlib import suppress
from typing import Protocol

from gateway import clock, log
from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols import sse
from gateway.protocols.exchange import Seen, Watcher
from gateway.transport import UpstreamResponse

_log = log.get(__name__)

LAST_BYTES_SECONDS = 0.02
# Everything is said; only usage or a terminator may follow, and not every server sends them.
TERMINATOR_SECONDS = 2.0
STOOD_STILL_SECONDS = 0.25


class Source(Protocol):
    """What a stream reads from."""

    watcher: Watcher

    async def next(self) -> list[Seen]:
        """The next events; one of them ends the stream, and after it nothing is asked for."""
        ...

    def limit_silence(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


class EventSource:
    """A stream of server-sent events as it comes in."""

    def __init__(self, response: UpstreamResponse, watcher: Watcher, total_seconds: float) -> None:
        self._response = response
        self._splitter = sse.Splitter()
        self._ends_at = clock.monotonic() + total_seconds
        self._is_over = False
        self.watcher = watcher

    def limit_silence(self, seconds: float) -> None:
        self._response.limit_silence(seconds)

    async def next(self) -> list[Seen]:
        """Raises UpstreamError where the stream breaks off or takes too long."""
        if self._is_over:
            return [self.watcher.end()]
        if clock.monotonic() > self._ends_at:
            raise UpstreamTimeoutError("The answer took longer than the limit of the whole call.")
        try:
            data = await self._next_chunk()
        except UpstreamError:
            if (last := self.watcher.end()).is_done:
                self._is_over = True
                return [last]
            raise
        if not data:
            return self._rest()
        try:
            events = self._splitter.feed(data)
        except sse.EventTooLargeError as error:
            raise UpstreamInterruptedError from error
        return self._see(events)

    async def _next_chunk(self) -> bytes:
        if not self.watcher.finished:
            return await self._response.next_chunk()
        for patience in (TERMINATOR_SECONDS, STOOD_STILL_SECONDS):
            began = clock.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    return await self._response.next_chunk()
            if clock.monotonic() - began < patience + STOOD_STILL_SECONDS:
                break
            # It was we who stood still: what has come meanwhile is read first.
        return b""

    def _rest(self) -> list[Seen]:
        self._is_over = True
        rest = self._splitter.rest()
        return [*self._see([rest + b"\n\n"] if rest.strip() else []), self.watcher.end()]

    def _see(self, events: list[bytes]) -> list[Seen]:
        """What is not even JSON would stop a client's SDK, so it stays here."""
        return [seen for event in events if not (seen := self.watcher.see(event)).is_garbage]

    async def close(self) -> None:
        """After a complete stream the connection is kept, if its last bytes come at once."""
        if self.watcher.finished and not self._is_over:
            with suppress(TimeoutError, UpstreamError):
                async with asyncio.timeout(LAST_BYTES_SECONDS):
                    await self._response.next_chunk()
        self._response.close()
        if self.watcher.garbage:
            _log.warning("stream_with_garbage", events=self.watcher.garbage)


class WholeAnswer:
    """A plain answer of an upstream that was asked for a stream, as events."""

    def __init__(self, events: list[Seen], watcher: Watcher) -> None:
        self._events = events
        self.watcher = watcher

    def limit_silence(self, seconds: float) -> None:
        """Everything is here."""

    async def next(self) -> list[Seen]:
        events, self._events = self._events, []
        return events

    async def close(self) -> None:
        """The connection was given back when the answer was read."""


class Buffered:
    """A stream that is read to its end before the client gets anything of it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.watcher = source.watcher

    def limit_silence(self, seconds: float) -> None:
        self._source.limit_silence(seconds)

    async def next(self) -> list[Seen]:
        held: list[Seen] = []
        while not held or not ends(held[-1]):
            held += await self._source.next()
        return held

    async def close(self) -> None:
        await self._source.close()


def ends(seen: Seen) -> bool:
    """Whether nothing follows."""
    return seen.is_done or seen.problem is not None
