"""The limits of a policy as the meters that admission counts by."""

import datetime as dt
from zoneinfo import ZoneInfo

from gateway import clock
from gateway.admission import Meter
from gateway.identity import Caller, PolicyView

DAY = dt.timedelta(days=1)
MINUTE_MS = 60_000
# Counters outlive their period a little, for settlements that come after its end.
GRACE_MS = 3_600_000


def of_call(caller: Caller, tokens: int, nanos: int) -> tuple[Meter, ...]:
    """Every limit this call counts against; ``tokens`` and ``nanos`` are its upper bounds."""
    policy = caller.policy
    user = caller.user_id
    meters = []
    if policy.rate_limit:
        window_ms = (policy.rate_limit_window_seconds or 60) * 1000
        meters.append(Meter("w", f"{user}:rate", str(policy.rate_limit), "1", window_ms, "r"))
    if policy.tokens_per_minute:
        limit = str(policy.tokens_per_minute)
        meters.append(Meter("w", f"{user}:tpm", limit, str(tokens), MINUTE_MS, "t"))
    if policy.max_concurrency:
        meters.append(Meter("c", f"{user}:open", str(policy.max_concurrency), "1", 0, "r"))
    return (*meters, *_periods(policy, user, tokens, nanos))


def _periods(policy: PolicyView, user: str, tokens: int, nanos: int) -> list[Meter]:
    daily = (
        (policy.request_quota_daily, 1, "r"),
        (policy.token_quota_daily, tokens, "t"),
        (policy.cost_quota_daily_nanos, nanos, "n"),
    )
    monthly = (
        (policy.token_quota_monthly, tokens, "t"),
        (policy.cost_quota_monthly_nanos, nanos, "n"),
    )
    if not any(limit for limit, _, _ in daily + monthly):
        return []
    now = clock.now().astimezone(ZoneInfo(policy.timezone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    tomorrow, next_month = midnight + DAY, (month + 32 * DAY).replace(day=1)
    return [
        Meter("p", f"{user}:{period:%Y%m%d}{kind}{unit}", str(limit), str(amount), _left(end), unit)
        for quotas, period, end, kind in (
            (daily, midnight, tomorrow, "d"),
            (monthly, month, next_month, "m"),
        )
        for limit, amount, unit in quotas
        if limit
    ]


def _left(end: dt.datetime) -> int:
    return int((end - clock.now()).total_seconds() * 1000) + GRACE_MS
