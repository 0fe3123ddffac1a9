"""The end of a call: what it costs, who pays, and the one settlement that says so."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway import clock, log, money, pricing
from gateway.admission.events import Settlement, Usage
from gateway.errors import GatewayError
from gateway.relay.attempts import STOPPED
from gateway.relay.call import Entry
from gateway.relay.deps import Deps
from gateway.routing import Candidate

CHARGE, RELEASE = "charge", "release"
REPORTED, ESTIMATED, NO_BASIS = "reported", "estimated", "none"
SUCCEEDED, FAILED, CANCELLED, INTERRUPTED = "succeeded", "failed", "cancelled", "interrupted"
CLIENT_LEFT = 499


_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, as its record will say."""

    status: str
    http_status: int
    usage: Usage
    basis: str
    candidate: Candidate | None = None
    error_code: str | None = None
    first_byte_ms: int | None = None
    disconnect_policy: str | None = None


def settle(deps: Deps, entry: Entry, outcome: Outcome) -> int:
    """Charge what was used and write the call down; returns the charge in nanos.

    Silent if the call is settled already. Never waits: the journal holds it from here on.
    """
    if entry.is_settled:
        return 0
    usage, price = _priced(entry, outcome)
    amount = min(price, entry.hold.held_nanos) if entry.is_limited else price
    candidate = outcome.candidate
    settlement = Settlement(
        hold=entry.hold,
        kind=CHARGE if usage else RELEASE,
        amount_nanos=amount,
        overrun_nanos=price - amount,
        cost_nanos=_upstream_cost(entry, outcome),
        usage=usage,
        basis=outcome.basis,
        disconnect_policy=outcome.disconnect_policy,
        status=outcome.status,
        http_status=outcome.http_status,
        error_code=outcome.error_code,
        answered_model=(candidate.offer if candidate else entry.offer).slug,
        backend_id=candidate.target.backend_id if candidate else None,
        region=candidate.target.region if candidate else "",
        ended_ms=clock.now_ms(),
        first_byte_ms=outcome.first_byte_ms,
        attempts=entry.attempts,
    )
    entry.is_settled = True
    deps.settler.settle(settlement, tuple(entry.reports))
    return amount


def _priced(entry: Entry, outcome: Outcome) -> tuple[Usage, int]:
    """The usage that is paid for, and its price; what has no price cannot be charged."""
    prices = entry.offer.prices
    usage = pricing.add_call(outcome.usage, prices) if outcome.usage else []
    try:
        return usage, pricing.cost(usage, prices) if usage else money.ZERO
    except pricing.UnpricedError as error:
        _log.error("usage_without_price", model=entry.offer.slug, error=str(error))
    sold = [row for row in usage if _has_price(row, prices)]
    return sold, pricing.cost(sold, prices)


def _has_price(row: tuple[str, str, int], prices: pricing.Prices) -> bool:
    try:
        pricing.cost([row], prices)
    except pricing.UnpricedError:
        return False
    return True


def _upstream_cost(entry: Entry, outcome: Outcome) -> int:
    """By the prices of the model that answered, whichever was asked for."""
    candidate = outcome.candidate
    if candidate is None or not outcome.usage:
        return 0
    prices = candidate.offer.prices or entry.offer.prices
    factor = candidate.target.cost_factor_millionths
    try:
        return pricing.upstream_cost(outcome.usage, prices, factor)
    except pricing.UnpricedError:
        # What its model is not sold by costs us something, too, but nobody has said how much.
        usage = [row for row in outcome.usage if _has_price(row, prices)]
        return pricing.upstream_cost(usage, prices, factor)


def settle_failed(deps: Deps, entry: Entry, error: GatewayError) -> None:
    """Nothing was delivered: the user pays nothing."""
    settle(
        deps,
        entry,
        Outcome(FAILED, int(error.status), [], NO_BASIS, error_code=error.code),
    )


def settle_left(deps: Deps, entry: Entry) -> None:
    """The client left before anything came back, and the upstream was stopped.

    He pays the prompt if an attempt was under way; attempts that had failed cost nothing.
    """
    stopped = _find_stopped(entry)
    usage: Usage = [("input", "", entry.call.request.prompt_tokens)] if stopped else []
    outcome = Outcome(
        status=CANCELLED,
        http_status=CLIENT_LEFT,
        usage=usage,
        basis=ESTIMATED if stopped else NO_BASIS,
        candidate=stopped,
        error_code="client_left",
        disconnect_policy="cancel",
    )
    settle(deps, entry, outcome)


def _find_stopped(entry: Entry) -> Candidate | None:
    """The candidate whose attempt was stopped, if the last one was."""
    if not entry.attempts or entry.attempts[-1].outcome != STOPPED:
        return None
    last = entry.attempts[-1]
    ids = (last.backend_id, last.provider_key_id)
    return next(
        c for c in entry.candidates if (c.target.backend_id, c.target.provider_key_id) == ids
    )


@contextmanager
def settled_if_it_fails(deps: Deps, entry: Entry) -> Generator[None]:
    """Whatever goes wrong inside, a bug included, the hold does not stay open."""
    try:
        yield
    except GatewayError as error:
        settle_failed(deps, entry, error)
        raise
    except asyncio.CancelledError:
        settle_left(deps, entry)
        raise
    except Exception:
        settle_failed(deps, entry, GatewayError())
        raise
