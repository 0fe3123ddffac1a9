"""The limits of a policy as the meters that admission counts by."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from gateway import clock
from gateway.admission import Meter
from gateway.identity import Caller, PolicyView

DAY = dt.timedelta(days=1)
MINUTE_MS = 60_000
NO_LIMITS: Mapping[str, Any] = {}

# Who counts, the limit (0 or None is none), what this call takes of it, and its unit.
Quota = tuple[str, int | None, int, str]


def of_call(caller: Caller, model: str, tokens: int, nanos: int) -> tuple[Meter, ...]:
    """Every limit this call counts against; ``tokens`` and ``nanos`` are its upper bounds.

    The limits of a policy for one model come on top of those for all: they only tighten.
    """
    policy, user = caller.policy, caller.user_id
    own, limits = f"{user}:{model}", policy.per_model.get(model, NO_LIMITS)
    daily: tuple[Quota, ...] = (
        (user, policy.request_quota_daily, 1, "r"),
        (user, policy.token_quota_daily, tokens, "t"),
        (user, policy.cost_quota_daily_nanos, nanos, "n"),
        (own, limits.get("request_quota_daily"), 1, "r"),
        (own, limits.get("token_quota_daily"), tokens, "t"),
    )
    monthly: tuple[Quota, ...] = (
        (user, policy.token_quota_monthly, tokens, "t"),
        (user, policy.cost_quota_monthly_nanos, nanos, "n"),
    )
    return (
        *_rates(caller, model),
        *_tokens_per_minute(user, policy.tokens_per_minute, tokens),
        *_tokens_per_minute(own, limits.get("tokens_per_minute"), tokens),
        *_concurrency(caller),
        *_periods(policy, daily, monthly),
    )


def of_free_call(caller: Caller, model: str) -> tuple[Meter, ...]:
    """What costs nothing uses up no quota, but may come no more often than anything else."""
    return (*_rates(caller, model), *_concurrency(caller))


def _rates(caller: Caller, model: str) -> Iterator[Meter]:
    policy = caller.policy
    if policy.rate_limit:
        yield _rate(caller.user_id, policy.rate_limit, policy.rate_limit_window_seconds)
    limits = policy.per_model.get(model, NO_LIMITS)
    if limit := limits.get("rate_limit"):
        yield _rate(f"{caller.user_id}:{model}", limit, limits.get("rate_limit_window_seconds"))


def _rate(owner: str, limit: int, window_seconds: int | None) -> Meter:
    return Meter("w", f"{owner}:rate", str(limit), "1", (window_seconds or 60) * 1000, "r")


def _tokens_per_minute(owner: str, limit: int | None, tokens: int) -> Iterator[Meter]:
    if limit:
        yield Meter("w", f"{owner}:tpm", str(limit), str(tokens), MINUTE_MS, "t")


def _concurrency(caller: Caller) -> Iterator[Meter]:
    if limit := caller.policy.max_concurrency:
        yield Meter("c", f"{caller.user_id}:open", str(limit), "1", 0, "r")


def _periods(
    policy: PolicyView, daily: tuple[Quota, ...], monthly: tuple[Quota, ...]
) -> list[Meter]:
    """Days and months begin at midnight where the policy lives."""
    if not any(limit for _, limit, _, _ in daily + monthly):
        return []
    now = clock.now().astimezone(ZoneInfo(policy.timezone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    month = midnight.replace(day=1)
    tomorrow, next_month = midnight + DAY, (month + 32 * DAY).replace(day=1)
    return [
        Meter("p", f"{owner}:{begin:%Y%m%d}{kind}{unit}", str(limit), str(amount), left, unit)
        for quotas, begin, kind, left in (
            (daily, midnight, "d", _left_ms(now, tomorrow)),
            (monthly, month, "m", _left_ms(now, next_month)),
        )
        for owner, limit, amount, unit in quotas
        if limit
    ]


def _left_ms(now: dt.datetime, end: dt.datetime) -> int:
    """What the clock on the wall says is not what passes when the clocks are changed."""
    passing = end.astimezone(dt.UTC) - now.astimezone(dt.UTC)
    return max(1, int(passing.total_seconds() * 1000))
