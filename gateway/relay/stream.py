"""Calls answered as a stream: events go on as the bytes they came in.

An event counts as delivered when its send has returned, that is when the caller asks for
the next one. The call is settled before its success terminator is sent, so that a client
who was told "done" has been charged, and one who was not is charged by the policy.
"""

import asyncio
from contextlib import suppress
from typing import Self

from gateway.errors import (
    GatewayError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamTimeoutError,
)
from gateway.protocols.errors import openai_error_event
from gateway.protocols.estimate import text_tokens
from gateway.protocols.openai_chat.watch import Seen, Watcher
from gateway.relay import attempts, closing
from gateway.relay.call import Call, Entry
from gateway.relay.closing import (
    CANCELLED,
    ESTIMATED,
    INTERRUPTED,
    REPORTED,
    SUCCEEDED,
    Outcome,
)
from gateway.relay.deps import Deps
from gateway.relay.entry import enter
from gateway.relay.plain import DRAIN, elapsed_ms, estimated, policy_of
from gateway.relay.source import Source

DONE_EVENT = b"data: [DONE]\n\n"


async def open_stream(deps: Deps, call: Call) -> "Stream":
    """Admit and try until the first event with content is here.

    Raises GatewayError; up to then every failure still has an HTTP status of its own.
    """
    entry = await enter(deps, call)
    if policy_of(entry) != DRAIN:
        return await _open(deps, entry)
    opening = deps.spawn(_open(deps, entry))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        deps.spawn(_drain_unseen(opening))
        raise


async def _drain_unseen(opening: "asyncio.Task[Stream]") -> None:
    """The client left before there was anything to send."""
    with suppress(GatewayError):
        stream = await opening
        await stream.aclose()


async def _open(deps: Deps, entry: Entry) -> "Stream":
    async def start(attempt: attempts.Try) -> Stream:
        response = await attempt.send()
        source = Source(response, Watcher(entry.call.request.model), attempt.limit("total_seconds"))
        stream = Stream(deps, entry, attempt, source)
        try:
            async with asyncio.timeout(attempt.first_answer_seconds()):
                await stream.begin()
        except TimeoutError as error:
            raise UpstreamTimeoutError from error
        finally:
            if not stream.has_begun:
                await source.close()
        return stream

    with closing.settled_if_it_fails(deps, entry):
        _, stream = await attempts.run(deps, entry, start)
    return stream


class Stream:
    """One open stream: iterate over its bytes, and ``aclose()`` it whatever happens."""

    def __init__(self, deps: Deps, entry: Entry, attempt: attempts.Try, source: Source) -> None:
        self._deps = deps
        self.entry = entry
        self._attempt = attempt
        self._source = source
        self._first: list[Seen] = []
        self._sending: list[Seen] = []
        self._delivered: list[str] = []
        self._has_content = False
        self._is_done = False
        self._error: UpstreamError | None = None
        self._first_byte_ms: int | None = None
        self._asked_usage = getattr(entry.call.request, "include_usage", True)

    @property
    def has_begun(self) -> bool:
        return self._first_byte_ms is not None

    async def begin(self) -> None:
        self._first = await self._source.first(is_last=not self._attempt.has_alternative)
        self._source.limit_silence(self._attempt.first_answer_seconds())
        self._first_byte_ms = elapsed_ms(self.entry)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Bytes to send; the last are the success terminator or an error event."""
        self._note_delivered()
        if self.entry.is_settled:
            raise StopAsyncIteration
        try:
            while (batch := await self._next_batch()) is not None:
                events = [seen.event for seen in batch if self._goes_on(seen)]
                if events:
                    return events[0] if len(events) == 1 else b"".join(events)
                self._note_delivered()
        except UpstreamError as error:
            self._attempt.failed(error)
            return self._break_off(error)
        return self._end()

    def _note_delivered(self) -> None:
        for seen in self._sending:
            if seen.text:
                self._delivered.append(seen.text)
        self._sending = []

    async def _next_batch(self) -> list[Seen] | None:
        """Events without what ends the stream, None at its end; raises where it breaks off."""
        if self._error is not None:
            raise self._error
        if self._is_done or (self._source.is_over and self._source.watcher.finished):
            return None
        if self._source.is_over:
            raise UpstreamInterruptedError
        batch, self._first = self._first or await self._source.next(), []
        if not self._has_content:
            self._look_for_content(batch)
        for position, seen in enumerate(batch):
            if seen.is_done or seen.error is not None:
                self._is_done = seen.is_done
                self._error = None if seen.is_done else UpstreamError(reason=seen.reason)
                batch = batch[:position]
                break
        self._sending = batch
        return batch

    def _look_for_content(self, batch: list[Seen]) -> None:
        """Thinking before the first word may take long; a pause between two words may not."""
        if any(seen.is_content for seen in batch):
            self._has_content = True
            self._source.limit_silence(self._attempt.limit("idle_seconds"))

    def _goes_on(self, seen: Seen) -> bool:
        """The usage event that only we asked for stays here."""
        return self._asked_usage or not seen.is_usage_only

    def _end(self) -> bytes:
        self._attempt.succeeded()
        usage = self._source.watcher.usage
        basis = REPORTED if usage is not None else ESTIMATED
        self._settle(SUCCEEDED, 200, usage or self._estimate(), basis)
        return DONE_EVENT

    def _break_off(self, error: GatewayError) -> bytes:
        # A stream that never said a word is a failure like any other, and as free.
        usage, basis = self._so_far() if self._delivered else ([], closing.NO_BASIS)
        self._settle(INTERRUPTED, 200, usage, basis, error_code="upstream_interrupted")
        return openai_error_event(error)

    async def aclose(self) -> None:
        """Whatever happened, the call is settled and the connection given up."""
        if self.entry.is_settled:
            await self._source.close()
        elif policy_of(self.entry) == DRAIN:
            self._deps.spawn(self._drain())
        else:
            self._attempt.record(closing.STOPPED)
            try:
                self._settle_left()
            finally:
                await self._source.close()

    def _settle_left(self, policy: str = "cancel") -> None:
        usage, basis = self._so_far()
        self._settle(
            CANCELLED, closing.CLIENT_LEFT, usage, basis, policy=policy, error_code="client_left"
        )

    async def _drain(self) -> None:
        """Read the rest without its client, for the vendor's own usage."""
        try:
            self._note_delivered()
            async with asyncio.timeout(self._deps.settings.upstream.drain_seconds):
                while await self._next_batch() is not None:
                    self._note_delivered()
            self._attempt.succeeded()
        except (UpstreamError, TimeoutError):
            self._attempt.record("drain_broken")
        finally:
            try:
                self._settle_left(DRAIN)
            finally:
                await self._source.close()

    def _so_far(self) -> tuple[list[tuple[str, str, int]], str]:
        """The vendor's usage if it has come, else the prompt and what was delivered."""
        usage = self._source.watcher.usage
        return (usage, REPORTED) if usage is not None else (self._estimate(), ESTIMATED)

    def _estimate(self) -> list[tuple[str, str, int]]:
        return estimated(self.entry, text_tokens("".join(self._delivered)))

    def _settle(
        self,
        status: str,
        http_status: int,
        usage: list[tuple[str, str, int]],
        basis: str,
        *,
        policy: str | None = None,
        error_code: str | None = None,
    ) -> None:
        closing.settle(
            self._deps,
            self.entry,
            Outcome(
                status=status,
                http_status=http_status,
                usage=usage,
                basis=basis,
                target=self._attempt.target,
                error_code=error_code,
                first_byte_ms=self._first_byte_ms,
                disconnect_policy=policy,
            ),
        )
