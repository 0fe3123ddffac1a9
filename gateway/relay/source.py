"""The events of one upstream stream, checked, in the batches in which they arrive."""

import asyncio
from contextlib import suppress

from gateway import clock
from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols import sse
from gateway.protocols.openai_chat.watch import Seen, Watcher
from gateway.transport import UpstreamResponse

LAST_BYTES_SECONDS = 0.02


class Source:
    def __init__(self, response: UpstreamResponse, watcher: Watcher, total_seconds: float) -> None:
        self._response = response
        self._splitter = sse.Splitter()
        self._ends_at = clock.monotonic() + total_seconds
        self.watcher = watcher
        self.is_over = False

    async def first(self, *, is_last: bool) -> list[Seen]:
        """Everything up to the first event with content; raises UpstreamError before it.

        Where no other target could answer instead, nothing is gained by holding back what
        comes before the content: the first event of the answer will do.
        """
        held: list[Seen] = []
        while not self.is_over:
            batch = await self.next()
            held += batch
            for seen in batch:
                if seen.error is not None:
                    raise UpstreamError(reason=seen.reason)
                if seen.is_content or seen.is_finish or (is_last and seen.is_chunk):
                    return held
        raise UpstreamInterruptedError("The provider's stream ended before it began.")

    def limit_silence(self, seconds: float) -> None:
        self._response.limit_silence(seconds)

    async def next(self) -> list[Seen]:
        """The next events; empty at the end, ``is_over`` says so."""
        if clock.monotonic() > self._ends_at:
            raise UpstreamTimeoutError("The answer took longer than the limit of the whole call.")
        data = await self._response.next_chunk()
        if not data:
            self.is_over = True
            rest = self._splitter.rest()
            return self._see([rest + b"\n\n"] if rest.strip() else [])
        try:
            events = self._splitter.feed(data)
        except sse.EventTooLargeError as error:
            raise UpstreamInterruptedError from error
        return self._see(events)

    def _see(self, events: list[bytes]) -> list[Seen]:
        """What is not even JSON would stop a client's SDK, so it stays here."""
        return [seen for event in events if not (seen := self.watcher.see(event)).is_garbage]

    async def close(self) -> None:
        """After a complete stream the connection is kept, if its last bytes come at once."""
        if self.watcher.finished and not self.is_over:
            with suppress(TimeoutError, UpstreamError):
                async with asyncio.timeout(LAST_BYTES_SECONDS):
                    await self._response.next_chunk()
        self._response.close()
