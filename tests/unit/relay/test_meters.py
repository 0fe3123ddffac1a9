"""The limits of a policy as meters: which there are, of what amount, until when."""

import datetime as dt

import pytest

from gateway import clock
from gateway.identity import Caller, PolicyView
from gateway.relay import meters

NOON = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)
HOUR_MS = 3_600_000
GRACE_MS = meters.GRACE_MS


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


def caller_of(**limits: object) -> Caller:
    policy = PolicyView(id="p", name="p", revision=1, models=frozenset("*"), **limits)  # type: ignore[arg-type]
    return Caller("key", "user", None, 1, policy, "user", None, None, None, None, None)


def test_a_policy_without_limits_has_no_meters() -> None:
    assert meters.of_call(caller_of(), 10, 20) == ()


def test_windows_and_what_is_open_count_requests_and_tokens() -> None:
    caller = caller_of(
        rate_limit=5, rate_limit_window_seconds=10, tokens_per_minute=100, max_concurrency=2
    )
    rate, tokens, open_now = meters.of_call(caller, 30, 0)
    assert (rate.kind, rate.limit, rate.amount, rate.window_ms) == ("w", "5", "1", 10_000)
    assert (tokens.kind, tokens.limit, tokens.amount, tokens.window_ms) == (
        "w",
        "100",
        "30",
        60_000,
    )
    assert (open_now.kind, open_now.limit, open_now.amount) == ("c", "2", "1")


def test_the_window_of_a_rate_is_a_minute_unless_named() -> None:
    [rate] = meters.of_call(caller_of(rate_limit=5), 0, 0)
    assert rate.window_ms == 60_000


def test_periods_name_their_day_and_month_and_live_until_their_end() -> None:
    caller = caller_of(
        request_quota_daily=1,
        token_quota_daily=2,
        cost_quota_daily_nanos=2**53 + 1,
        token_quota_monthly=4,
        cost_quota_monthly_nanos=5,
    )
    found = meters.of_call(caller, 30, 2**53 + 7)
    keys = ["20260331dr", "20260331dt", "20260331dn", "20260301mt", "20260301mn"]
    assert [meter.key for meter in found] == [f"user:{key}" for key in keys]
    assert [meter.unit for meter in found] == ["r", "t", "n", "t", "n"]
    assert found[2].limit == str(2**53 + 1)
    assert found[2].amount == str(2**53 + 7)
    # Noon of the last day of March: day and month end together.
    assert {meter.window_ms for meter in found} == {12 * HOUR_MS + GRACE_MS}


def test_periods_begin_and_end_where_the_policy_lives() -> None:
    caller = caller_of(request_quota_daily=1, timezone="Asia/Tokyo")
    [meter] = meters.of_call(caller, 0, 0)
    assert meter.key == "user:20260331dr"
    assert meter.window_ms == 3 * HOUR_MS + GRACE_MS
