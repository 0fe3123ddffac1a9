"""Trying the candidates of a call in turn, until one answers or the budget is spent.

Policy: a failure before anything was delivered is invisible to the caller while something
else can be tried. What follows a failure is decided in ``routing.retries``.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.admission import GateClosedError, Pick
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    UpstreamError,
    UpstreamTimeoutError,
)
from gateway.relay.attempts import NOT_SENT, Try
from gateway.relay.call import Entry
from gateway.relay.deps import Deps
from gateway.relay.draft import choices_of
from gateway.relay.entry import has_more_room
from gateway.routing import Candidate, Move, Situation, next_move
from gateway.routing.order import LEAST_BUSY

# The event loop's timers may fire a little early, and Redis would still say "not yet".
CLOCK_SECONDS = 0.02

T = TypeVar("T")


class Tries:
    """What may still be tried for one call, and how often."""

    def __init__(self, deps: Deps, entry: Entry) -> None:
        self.deps = deps
        self._entry = entry
        self._rest = list(entry.candidates)
        self._left = deps.settings.upstream.retries
        self._here = 0  # attempts at the current candidate
        self._may_repeat = True  # the current candidate
        self.current: Candidate = entry.candidates[entry.choice]
        # Under which the client of a stream hears of the model, once he has heard of it.
        self.told_name = ""

    def first(self) -> Try:
        return self._begin(self.current, is_probe=self._entry.is_probe)

    async def after(self, error: UpstreamError) -> Try | None:
        """The next attempt, after as long a wait as it takes; None if the failure stands."""
        self._leave_out(error)
        here = [self.current] if self._may_repeat else []
        others = [c for c in self._rest if not c.is_fallback]
        fallbacks = [c for c in self._rest if c.is_fallback and self._has_use(c)]
        situation = Situation(
            error=error,
            tries_left=self._left,
            tries_here=self._here,
            has_others=bool(others),
            has_fallbacks=bool(fallbacks),
            is_policy_retried=bool(self.current.offer.fallback.get("on_content_policy")),
        )
        move, wait = next_move(situation, random.random())  # noqa: S311 -- jitter
        if wait and here:
            await self._wait(wait)
        match move:
            case Move.SAME:
                return await self._pick([*here, *others, *fallbacks])
            case Move.OTHER:
                attempt = await self._pick([*others, *fallbacks])
                return attempt or await self._without(others, error)
            case Move.FALLBACK:
                return await self._pick(fallbacks)
            case Move.LARGER:
                self._rest = self._roomier()
                return await self._pick(self._rest)
        return None

    async def _without(self, others: list[Candidate], error: UpstreamError) -> Try | None:
        """None of the others may be asked now: what follows is as if there were none."""
        self._rest = [c for c in self._rest if c not in others]
        return await self.after(error) if others else None

    async def besides(self) -> Try | None:
        """Another kind of upstream, for a request that this kind cannot be asked."""
        kind = _kind_of(self.current)
        self._rest = [c for c in self._rest if _kind_of(c) != kind]
        self._left += 1  # nothing was tried
        return await self._pick(self._rest)

    def restrict(self, suits: Callable[[Candidate], bool]) -> None:
        """From here on only those are asked that suit."""
        self._rest = [c for c in self._rest if suits(c)]
        self._may_repeat = suits(self.current)

    async def same(self) -> Try | None:
        """The current candidate once more, for another kind of request."""
        return await self._pick([self.current]) if self._left > 0 else None

    def _leave_out(self, error: UpstreamError) -> None:
        """The current candidate is not among the rest; of one that is silent, none of its keys."""
        current = self.current
        self._rest = [c for c in self._rest if c is not current]
        if isinstance(error, UpstreamTimeoutError):
            backend = current.target.backend_id
            self._rest = [c for c in self._rest if c.target.backend_id != backend]

    def _has_use(self, candidate: Candidate) -> bool:
        """What is there for long requests is for those that have come to it already."""
        return self.current.is_for_long or not candidate.is_for_long

    def _roomier(self) -> list[Candidate]:
        current = self.current.offer
        return [c for c in self._rest if c.is_for_long or has_more_room(c.offer, current)]

    async def _wait(self, seconds: float) -> None:
        """What was learnt of health helps other calls meanwhile."""
        reports, self._entry.reports = tuple(self._entry.reports), []
        if reports:
            await self.deps.admission.note(reports)
        await asyncio.sleep(seconds + CLOCK_SECONDS)

    async def _pick(self, candidates: list[Candidate]) -> Try | None:
        """Let admission pick the first that slots, cool-downs and breakers allow."""
        if not candidates:
            return None
        entry = self._entry
        reports, entry.reports = tuple(entry.reports), []
        pick = Pick(
            user=entry.hold.user_id,
            reference=entry.hold.reference,
            candidates=choices_of(candidates),
            least_busy=entry.offer.load_balancing == LEAST_BUSY,
            reports=reports,
        )
        try:
            index, is_probe = await self.deps.admission.pick(pick)
        except GateClosedError:
            entry.reports = [*reports, *entry.reports]
            return None
        except GatewayError:
            return None
        self._left -= 1
        return self._begin(candidates[index], is_probe=is_probe)

    def _begin(self, candidate: Candidate, *, is_probe: bool) -> Try:
        self._here = self._here + 1 if candidate is self.current else 1
        self.current, self._may_repeat = candidate, True
        backend = candidate.target.backend_id
        elsewhere = [c for c in self._rest if c.target.backend_id != backend and self._has_use(c)]
        has_alternative = bool(elsewhere) and self._left > 0
        attempt = Try(self.deps, self._entry, candidate, has_alternative=has_alternative)
        attempt.is_probe = is_probe
        return attempt


def _kind_of(candidate: Candidate) -> tuple[str, bool]:
    return candidate.target.adapter, candidate.target.traits.inline_media


async def run(deps: Deps, entry: Entry, work: Callable[[Try], Awaitable[T]]) -> tuple[Tries, T]:
    """Run ``work`` against one candidate after the other; raises the last failure."""
    tries = Tries(deps, entry)
    attempt = tries.first()
    while True:
        try:
            return tries, await work(attempt)
        except asyncio.CancelledError:
            attempt.stopped()
            raise
        except InvalidRequestError as error:
            # It cannot be said in this upstream's language, or brought to it.
            attempt.record(NOT_SENT, str(error))
            following = await tries.besides()
            if following is None:
                raise
            attempt = following
        except UpstreamError as error:
            attempt.failed(error)
            following = await tries.after(error)
            if following is None:
                raise
            attempt = following
