"""Trying the targets of a call in turn, until one answers or the budget is spent.

Policy: a failure before anything was delivered is invisible to the caller while another
target can be tried. Whose fault it was decides what happens to health.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway import clock, log
from gateway.admission import Choice, Pick, Report
from gateway.admission.events import AttemptRecord
from gateway.catalog import Target
from gateway.errors import Blame, GatewayError, UpstreamError
from gateway.protocols.wire import UpstreamRequest
from gateway.relay.call import Entry
from gateway.relay.deps import Deps
from gateway.relay.entry import choices_of
from gateway.routing.order import LEAST_BUSY
from gateway.transport import Limits, UpstreamResponse

BREAKER_FAILURES = 5
BREAKER_OPEN_MS = 5_000
KEY_COOL_MS = 60_000
MODEL_COOL_MS = 60_000
RATE_COOL_MS = 1_000
ERROR_BODY_BYTES = 64 * 1024

T = TypeVar("T")
_log = log.get(__name__)


class Try:
    """One attempt at one target and what it may take."""

    def __init__(
        self, deps: Deps, entry: Entry, target: Target, *, has_alternative: bool = False
    ) -> None:
        self.deps = deps
        self.entry = entry
        self.target = target
        self.has_alternative = has_alternative
        self.started = clock.monotonic()
        self.status: int | None = None

    def limit(self, name: str) -> float:
        """A limit in seconds: the backend's own, else the model's, else the setting."""
        for limits in (self.target.limits, self.entry.offer.limits):
            if name in limits:
                return float(limits[name])
        return float(getattr(self.deps.settings.upstream, name))

    def request(self) -> UpstreamRequest:
        call, offer = self.entry.call, self.entry.offer
        body = call.request.body(
            self.target.upstream_model, offer.parameters, self.entry.output_cap, offer.output_field
        )
        provider = self.deps.providers[self.target.adapter]
        return provider.build(call.operation, self.target, body, offer.headers)

    async def send(self) -> UpstreamResponse:
        """Send and wait for a good status; raises what the adapter makes of a bad one."""
        limits = Limits(self.limit("connect_seconds"), self._longest_silence())
        response = await self.deps.transport.send(self.request(), limits)
        self.status = response.status
        if response.status < 300:
            return response
        try:
            body = await response.read(ERROR_BODY_BYTES)
        finally:
            response.close()
        provider = self.deps.providers[self.target.adapter]
        raise provider.classify(response.status, response.headers, body, self.target.secret)

    def _longest_silence(self) -> float:
        # A stream's silences get their own, shorter limit once it has begun.
        return max(self.limit("idle_seconds"), self.first_answer_seconds())

    def first_answer_seconds(self) -> float:
        """Patience until the first content: short while another target could answer instead."""
        if not self.has_alternative:
            return self.limit("total_seconds")
        is_stream = self.entry.call.request.stream
        return self.limit("first_event_seconds" if is_stream else "first_byte_seconds")

    def record(self, outcome: str, error: str | None = None) -> None:
        now = clock.monotonic()
        self.entry.attempts.append(
            AttemptRecord(
                backend_id=self.target.backend_id,
                provider_key_id=self.target.provider_key_id,
                upstream_model=self.target.upstream_model,
                outcome=outcome,
                http_status=self.status,
                error=error,
                started_ms=int((self.started - self.entry.call.started) * 1000),
                duration_ms=int((now - self.started) * 1000),
            )
        )

    def succeeded(self) -> None:
        self.record("ok")
        ids = (self.target.backend_id, self.target.provider_key_id or "")
        self.entry.reports += [Report(id_, "ok") for id_ in ids if id_]

    def failed(self, error: UpstreamError) -> None:
        detail = error.context.get("vendor") or error.context.get("reason") or str(error)
        self.record(error.code, str(detail)[:500])
        report = report_of(error, self.target)
        if report is not None:
            self.entry.reports.append(report)
        if error.blame is not Blame.CALLER:
            _log.warning(
                "attempt_failed",
                request_id=self.entry.call.reference,
                backend_id=self.target.backend_id,
                code=error.code,
                status=error.upstream_status,
            )


def report_of(error: UpstreamError, target: Target) -> Report | None:
    """What the failure means for the health of key, model or backend."""
    if error.blame is Blame.CALLER:
        return None
    if error.blame is Blame.KEY:
        cool_ms = RATE_COOL_MS if error.status == 429 else KEY_COOL_MS
        if error.retry_after_seconds is not None:
            cool_ms = int(error.retry_after_seconds * 1000)
        return Report(target.provider_key_id or target.backend_id, "cool", cool_ms)
    if error.blame is Blame.MODEL:
        return Report(target.link_id, "cool", MODEL_COOL_MS)
    return Report(target.backend_id, "fail", BREAKER_OPEN_MS, BREAKER_FAILURES)


async def run(deps: Deps, entry: Entry, work: Callable[[Try], Awaitable[T]]) -> tuple[Target, T]:
    """Run ``work`` against one target after the other; raises the last failure."""
    targets = list(entry.targets)
    index = entry.choice
    for remaining in range(deps.settings.upstream.retries, -1, -1):
        target = targets.pop(index)
        attempt = Try(deps, entry, target, has_alternative=bool(targets) and remaining > 0)
        try:
            return target, await work(attempt)
        except asyncio.CancelledError:
            attempt.record("cancelled")
            raise
        except UpstreamError as error:
            attempt.failed(error)
            if not error.failover or not targets or not remaining:
                raise
            index = await _next(deps, entry, targets, error)
    raise AssertionError("unreachable")  # the last round returns or raises


async def _next(deps: Deps, entry: Entry, targets: list[Target], error: UpstreamError) -> int:
    """Let admission pick among the rest; the failure stands if it admits none of them."""
    candidates: tuple[Choice, ...] = choices_of(targets)
    reports, entry.reports = tuple(entry.reports), []
    try:
        return await deps.admission.pick(
            Pick(
                user=entry.hold.user_id,
                reference=entry.hold.reference,
                candidates=candidates,
                least_busy=entry.offer.load_balancing == LEAST_BUSY,
                reports=reports,
            )
        )
    except GatewayError:
        raise error from None
