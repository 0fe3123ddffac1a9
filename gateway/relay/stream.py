"""Calls answered as a stream: events go on as they come in.

An event counts as delivered when its send has returned, that is when the caller asks for
the next one. The call is settled before its success terminator is sent, so that a client
who was told "done" has been charged, and one who was not is charged by the policy.
"""

import asyncio
from contextlib import suppress
from typing import Self

from gateway import log
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    UpstreamError,
    UpstreamInterruptedError,
)
from gateway.protocols import canonical
from gateway.protocols.estimate import text_tokens
from gateway.protocols.exchange import Seen
from gateway.relay import closing, rescue
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
from gateway.relay.legs import Leg, open_leg, raise_if_broken
from gateway.relay.plain import DRAIN, elapsed_ms, estimated, policy_of
from gateway.relay.tries import Tries, run

_log = log.get(__name__)


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
    with closing.settled_if_it_fails(deps, entry):
        tries, leg = await run(deps, entry, open_leg)
        return Stream(deps, entry, tries, leg)


class Stream:
    """One open stream: iterate over its bytes, and ``aclose()`` it whatever happens."""

    def __init__(self, deps: Deps, entry: Entry, tries: Tries, leg: Leg) -> None:
        self._deps = deps
        self.entry = entry
        self._tries = tries
        self._leg = leg
        self._first = leg.first
        self._sending: list[Seen] = []
        self._delivered: list[str] = []  # all that the model wrote
        self._said: list[str] = []  # of it, the answer's text
        self._has_content = False
        self._last: Seen | None = None  # the event that ends the stream
        self._first_byte_ms = elapsed_ms(entry)

    @property
    def answered_model(self) -> str:
        """The model whose upstream answers at this moment."""
        return self._leg.attempt.candidate.offer.slug

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Bytes to send; the last are the success terminator or an error event."""
        self._note_delivered()
        if self.entry.is_settled:
            raise StopAsyncIteration
        try:
            return await self._next_events()
        except Exception:
            # A bug: the client is told that the answer broke off, and pays what he has of it.
            _log.exception("stream_failed", request_id=self.entry.call.reference)
            if self.entry.is_settled:
                raise
            self._leg.attempt.record("failed")
            return self._break_off()

    async def _next_events(self) -> bytes:
        while True:
            try:
                while (batch := await self._next_batch()) is not None:
                    if events := self._events(batch):
                        return events
                    self._note_delivered()
            except UpstreamError as error:
                self._leg.attempt.failed(error)
                if not await self._is_rescued(error):
                    return self._break_off()
            else:
                return self._end()

    def _events(self, batch: list[Seen]) -> bytes:
        """Of a batch what goes to the client; the usage that only we asked for stays here."""
        if self.entry.call.request.include_usage:
            events = [seen.event for seen in batch]
        else:
            events = [seen.event for seen in batch if not seen.is_usage_only]
        return events[0] if len(events) == 1 else b"".join(events)

    def _note_delivered(self) -> None:
        for seen in self._sending:
            if seen.text:
                self._delivered.append(seen.text)
            if seen.said:
                self._said.append(seen.said)
        self._sending = []

    async def _next_batch(self) -> list[Seen] | None:
        """Events without what ends the stream, None at its end; raises where it breaks off."""
        if self._last is not None:
            raise_if_broken(self._leg.attempt, self._last)
            return None
        batch, self._first = self._first or await self._leg.source.next(), []
        if not self._has_content:
            self._look_for_content(batch)
        for position, seen in enumerate(batch):
            if seen.is_done or seen.problem is not None:
                self._last = seen
                batch = batch[:position]
                break
        self._sending = batch
        return batch

    def _look_for_content(self, batch: list[Seen]) -> None:
        """Thinking before the first word may take long; a pause between two words may not."""
        if any(seen.is_content for seen in batch):
            self._has_content = True
            self._leg.source.limit_silence(self._leg.attempt.limit("idle_seconds"))
            if self._leg.attempt.is_probe:
                self._deps.spawn(self._leg.attempt.answers())

    async def _is_rescued(self, error: UpstreamError) -> bool:
        """Whether another upstream goes on where this one broke off."""
        source = self._leg.source
        position = source.watcher.position()
        call = _find_call(self.entry) if position is not None else None
        if position is None or call is None:
            return False
        await source.close()
        model_id = self._leg.attempt.candidate.offer.model_id
        broken = rescue.Broken(call, position, "".join(self._said), model_id)
        leg = await rescue.rescued(self._tries, broken, error)
        if leg is None:
            return False
        self._leg = leg
        self._first, self._last, self._has_content = leg.first, None, False
        return True

    def _end(self) -> bytes:
        assert self._last is not None  # noqa: S101 -- _next_batch says None after it
        self._leg.attempt.succeeded()
        watcher = self._leg.source.watcher
        usage = watcher.usage
        basis = REPORTED if usage is not None else ESTIMATED
        self._settle(SUCCEEDED, 200, usage or self._estimate(), basis)
        if watcher.states:
            user_id = self.entry.hold.user_id
            self._deps.spawn(self._deps.tool_states.keep(user_id, watcher.states))
        return self._last.event

    def _break_off(self) -> bytes:
        # A stream that never said a word is a failure like any other, and as free.
        usage, basis = self._so_far() if self._delivered else ([], closing.NO_BASIS)
        self._settle(
            INTERRUPTED,
            200,
            usage,
            basis,
            policy=policy_of(self.entry),
            error_code="upstream_interrupted",
        )
        return self.entry.call.dialect.error_event(UpstreamInterruptedError())

    async def aclose(self) -> None:
        """Whatever happened, the call is settled and the connection given up."""
        if self.entry.is_settled:
            await self._leg.source.close()
        elif policy_of(self.entry) == DRAIN:
            self._deps.spawn(self._drain())
        else:
            self._leg.attempt.stopped()
            try:
                self._settle_left()
            finally:
                await self._leg.source.close()

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
            self._leg.attempt.succeeded()
        except (UpstreamError, TimeoutError):
            self._leg.attempt.record("drain_broken")
        finally:
            try:
                self._settle_left(DRAIN)
            finally:
                await self._leg.source.close()

    def _so_far(self) -> tuple[list[tuple[str, str, int]], str]:
        """The vendor's usage if it has come, else the prompt and what was delivered."""
        usage = self._leg.source.watcher.usage
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
                candidate=self._leg.attempt.candidate,
                error_code=error_code,
                first_byte_ms=self._first_byte_ms,
                disconnect_policy=policy,
            ),
        )


def _find_call(entry: Entry) -> canonical.Call | None:
    """The request as another upstream could be asked; what we cannot read we cannot ask."""
    with suppress(InvalidRequestError):
        return entry.call.request.call()
    return None
