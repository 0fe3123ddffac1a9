"""One attempt at one backend: what it sends, what it may take, and what it means for health."""

from gateway import clock, log
from gateway.admission import Report
from gateway.admission.events import AttemptRecord
from gateway.catalog import Target
from gateway.errors import Blame, UpstreamError, UpstreamRateLimitedError
from gateway.protocols.canonical import UpstreamProblem
from gateway.protocols.exchange import Exchange, Read, Seen, Watcher, Wish
from gateway.protocols.problems import ReportedProblemError
from gateway.protocols.wire import UpstreamRequest
from gateway.providers import Provider, private_names
from gateway.relay.call import Entry
from gateway.relay.deps import Deps
from gateway.routing import Candidate
from gateway.transport import Limits, UpstreamResponse

BREAKER_FAILURES = 5
BREAKER_OPEN_MS = 5_000
KEY_COOL_MS = 60_000
MODEL_COOL_MS = 60_000
RATE_COOL_MS = 1_000
ERROR_BODY_BYTES = 64 * 1024
# Outcomes of attempts that said nothing about their upstream.
STOPPED, NOT_SENT = "cancelled", "not_sent"

_log = log.get(__name__)


class Try:
    """One attempt at one candidate."""

    def __init__(
        self, deps: Deps, entry: Entry, candidate: Candidate, *, has_alternative: bool = False
    ) -> None:
        self.deps = deps
        self.entry = entry
        self.candidate = candidate
        self.has_alternative = has_alternative
        self.is_rescue = False  # its client waits in the middle of an answer
        self.started = clock.monotonic()
        self.status: int | None = None
        self.provider: Provider = deps.providers[candidate.target.adapter]
        self.exchange: Exchange = entry.call.request.exchange(
            self.provider.protocol, candidate.name
        )
        self.is_probe = False
        self.is_sent = False
        self._is_recorded = False

    @property
    def target(self) -> Target:
        return self.candidate.target

    def limit(self, name: str) -> float:
        """A limit in seconds: the backend's own, else the model's, else the setting."""
        for limits in (self.target.limits, self.candidate.offer.limits):
            if name in limits:
                return float(limits[name])
        return float(getattr(self.deps.settings.upstream, name))

    def wish(self) -> Wish:
        candidate = self.candidate
        return Wish(
            candidate.target.upstream_model,
            candidate.offer.parameters,
            self._output_cap(),
            candidate.target.traits,
        )

    def _output_cap(self) -> int | None:
        """What the hold pays; a fallback model may have a tighter bound of its own."""
        cap, own = self.entry.output_cap, self.candidate.offer.max_output_tokens
        asked = self.entry.call.request.max_output_tokens if cap is None else cap
        return own if own is not None and asked is not None and asked > own else cap

    def request(self, wish: Wish) -> UpstreamRequest:
        call = self.entry.call
        headers = {**self._forwarded(), **self.candidate.offer.headers}
        return self.provider.build(call.operation, self.target, self.exchange.body(wish), headers)

    def _forwarded(self) -> dict[str, str]:
        """The client's own headers, where neither vendor nor operator says otherwise."""
        given = self.entry.call.headers
        if not given:
            return {}
        known = {name.lower() for name in self.target.headers}
        return {n: v for n, v in given.items() if n in self.provider.forwards and n not in known}

    async def send(self, wish: Wish) -> UpstreamResponse:
        """Send and wait for a good status; raises what the adapter makes of a bad one."""
        limits = Limits(self.limit("connect_seconds"), self.first_answer_seconds())
        request = self.request(wish)
        self.is_sent = True
        response = await self.deps.transport.send(request, limits)
        self.status = response.status
        if response.status < 300:
            return response
        try:
            body = await response.read(ERROR_BODY_BYTES)
        finally:
            response.close()
        raise self.provider.classify(
            response.status,
            response.headers,
            body,
            self.target.secret,
            private_names(self.target),
        )

    def read(self, body: bytes) -> Read:
        """A plain answer; raises UpstreamError, also for an error behind a good status."""
        try:
            return self.exchange.read(body)
        except ReportedProblemError as error:
            raise self.error_of(error.problem) from error

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        """A plain answer as the stream that was asked for; raises as ``read`` does."""
        try:
            return self.exchange.replay(body)
        except ReportedProblemError as error:
            raise self.error_of(error.problem) from error

    def error_of(self, problem: UpstreamProblem) -> UpstreamError:
        """What an error event of a stream means."""
        return self.provider.classify_event(problem, self.target.secret, private_names(self.target))

    def first_answer_seconds(self) -> float:
        """Patience until the first content: short while another target could answer instead."""
        if not self.has_alternative and not self.is_rescue:
            return self.limit("total_seconds")
        is_stream = self.entry.call.request.stream
        return self.limit("first_event_seconds" if is_stream else "first_byte_seconds")

    def record(self, outcome: str, error: str | None = None) -> None:
        """Write down how it ended; the first word counts."""
        if self._is_recorded:
            return
        self._is_recorded = True
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

    def stopped(self) -> None:
        """The client has left; an upstream that was not asked yet costs him nothing."""
        self.record(STOPPED if self.is_sent else NOT_SENT)

    def succeeded(self) -> None:
        self.record("ok")
        self.deps.router.health.succeeded(self.target.backend_id)
        self.entry.reports += self._good_reports()

    async def answers(self) -> None:
        """It speaks: what waits for this probe need not wait for the end of a long stream."""
        await self.deps.admission.note(tuple(self._good_reports()))

    def _good_reports(self) -> list[Report]:
        target = self.target
        ids = (target.link_id, target.backend_id, target.provider_key_id or "")
        return [Report(id_, "ok") for id_ in ids if id_]

    def failed(self, error: UpstreamError) -> None:
        if self._is_recorded:
            return
        detail = error.context.get("vendor") or error.context.get("reason") or str(error)
        self.record(error.code, str(detail)[:500])
        report = report_of(error, self.target)
        if report is not None:
            self.entry.reports.append(report)
        if error.blame is Blame.BACKEND:
            self.deps.router.health.failed(self.target.backend_id)
        if error.blame is not Blame.CALLER:
            _log.warning(
                "attempt_failed",
                request_id=self.entry.call.reference,
                backend_id=self.target.backend_id,
                provider_key_id=self.target.provider_key_id,
                blame=error.blame.value,
                code=error.code,
                status=error.upstream_status,
            )


def report_of(error: UpstreamError, target: Target) -> Report | None:
    """What the failure means for the health of key, model or backend."""
    if error.blame is Blame.CALLER:
        return None
    if error.blame is Blame.KEY:
        is_limited = isinstance(error, UpstreamRateLimitedError)
        cool_ms = RATE_COOL_MS if is_limited else KEY_COOL_MS
        if error.retry_after_seconds is not None:
            cool_ms = int(error.retry_after_seconds * 1000)
        elif is_limited:
            return None  # it named no time: how long to wait is each call's own guess
        return Report(target.provider_key_id or target.backend_id, "cool", cool_ms)
    if error.blame is Blame.MODEL:
        return Report(target.link_id, "cool", MODEL_COOL_MS)
    # A server that answers with an error may only be ill for this model; one that does not
    # answer at all is ill for all of them.
    answered = error.upstream_status is not None
    place = target.link_id if answered else target.backend_id
    return Report(place, "fail", BREAKER_OPEN_MS, BREAKER_FAILURES)
