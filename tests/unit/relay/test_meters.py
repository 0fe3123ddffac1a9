"""The limits of a policy as meters: which there are, of what amount, until when."""

import datetime as dt

import pytest

from gateway import clock
from gateway.identity import Caller, PolicyView
from gateway.relay import meters

NOON = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)
HOUR_MS = 3_600_000


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


def caller_of(**limits: object) -> Caller:
    policy = PolicyView(id="p", name="p", revision=1, models=frozenset("*"), **limits)  # type: ignore[arg-type]
    return Caller("key", "user", None, 1, policy, "user", None, (), None, None, None)


def test_a_policy_without_limits_has_no_meters() -> None:
    assert meters.of_call(caller_of(), "chat", 10, 20) == ()


def test_windows_and_what_is_open_count_requests_and_tokens() -> None:
    caller = caller_of(
        rate_limit=5, rate_limit_window_seconds=10, tokens_per_minute=100, max_concurrency=2
    )
    rate, tokens, open_now = meters.of_call(caller, "chat", 30, 0)
    assert (rate.kind, rate.limit, rate.amount, rate.window_ms) == ("w", "5", "1", 10_000)
    assert (tokens.kind, tokens.limit, tokens.amount, tokens.window_ms) == (
        "w",
        "100",
        "30",
        60_000,
    )
    assert (open_now.kind, open_now.limit, open_now.amount) == ("c", "2", "1")


def test_the_window_of_a_rate_is_a_minute_unless_named() -> None:
    [rate] = meters.of_call(caller_of(rate_limit=5), "chat", 0, 0)
    assert rate.window_ms == 60_000


def test_periods_name_their_day_and_month_and_live_until_their_end() -> None:
    caller = caller_of(
        request_quota_daily=1,
        token_quota_daily=2,
        cost_quota_daily_nanos=2**53 + 1,
        token_quota_monthly=4,
        cost_quota_monthly_nanos=5,
    )
    found = meters.of_call(caller, "chat", 30, 2**53 + 7)
    keys = ["20260331dr", "20260331dt", "20260331dn", "20260301mt", "20260301mn"]
    assert [meter.key for meter in found] == [f"user:{key}" for key in keys]
    assert [meter.unit for meter in found] == ["r", "t", "n", "t", "n"]
    assert found[2].limit == str(2**53 + 1)
    assert found[2].amount == str(2**53 + 7)
    # Noon of the last day of March: day and month end together.
    assert {meter.window_ms for meter in found} == {12 * HOUR_MS}


def test_periods_begin_and_end_where_the_policy_lives() -> None:
    caller = caller_of(request_quota_daily=1, timezone="Asia/Tokyo")
    [meter] = meters.of_call(caller, "chat", 0, 0)
    assert meter.key == "user:20260331dr"
    assert meter.window_ms == 3 * HOUR_MS


def test_limits_of_one_model_come_on_top_of_those_for_all() -> None:
    own = {
        "rate_limit": 3,
        "rate_limit_window_seconds": 5,
        "tokens_per_minute": 70,
        "request_quota_daily": 4,
        "token_quota_daily": 80,
    }
    caller = caller_of(rate_limit=9, request_quota_daily=8, per_model={"chat": own})
    found = {meter.key: meter for meter in meters.of_call(caller, "chat", 30, 0)}
    assert {key: meter.limit for key, meter in found.items()} == {
        "user:rate": "9",
        "user:20260331dr": "8",
        "user:chat:rate": "3",
        "user:chat:tpm": "70",
        "user:chat:20260331dr": "4",
        "user:chat:20260331dt": "80",
    }
    assert found["user:chat:rate"].window_ms == 5_000
    assert found["user:chat:tpm"].amount == found["user:chat:20260331dt"].amount == "30"
    others = meters.of_call(caller, "other", 30, 0)
    assert [meter.key for meter in others] == ["user:rate", "user:20260331dr"]


def test_a_limit_of_zero_for_one_model_is_none() -> None:
    caller = caller_of(per_model={"chat": {"rate_limit": 0, "token_quota_daily": 0}})
    assert meters.of_call(caller, "chat", 1, 1) == ()


def test_free_operations_count_against_rates_and_concurrency_only() -> None:
    caller = caller_of(
        rate_limit=9,
        tokens_per_minute=5,
        max_concurrency=2,
        request_quota_daily=1,
        cost_quota_daily_nanos=1,
        per_model={"chat": {"rate_limit": 3, "token_quota_daily": 1}},
    )
    found = [meter.key for meter in meters.of_free_call(caller, "chat")]
    assert found == ["user:rate", "user:chat:rate", "user:open"]


@pytest.mark.parametrize(
    ("moment", "timezone", "key", "hours"),
    [
        # The night in which Berlin's clocks go forward has 23 hours, the one back has 25.
        ("2026-03-28T23:00", "Europe/Berlin", "20260329dr", 23),
        ("2026-03-28T22:59", "Europe/Berlin", "20260328dr", 1 / 60),
        ("2026-10-24T22:00", "Europe/Berlin", "20261025dr", 25),
        ("2026-10-25T22:59", "Europe/Berlin", "20261025dr", 1 / 60),
        # In Beirut there is no midnight that night: the day begins at one o'clock.
        ("2026-03-28T21:59", "Asia/Beirut", "20260328dr", 1 / 60),
        ("2026-03-28T22:00", "Asia/Beirut", "20260329dr", 23),
        # In Havana it comes twice: the day begins with the first.
        ("2026-11-01T03:59", "America/Havana", "20261031dr", 1 / 60),
        ("2026-11-01T05:30", "America/Havana", "20261101dr", 23.5),
    ],
)
def test_days_end_at_midnight_whatever_the_clocks_do(
    monkeypatch: pytest.MonkeyPatch, moment: str, timezone: str, key: str, hours: float
) -> None:
    now = dt.datetime.fromisoformat(f"{moment}:00+00:00")
    monkeypatch.setattr(clock, "now", lambda: now)
    [meter] = meters.of_call(caller_of(request_quota_daily=1, timezone=timezone), "chat", 0, 0)
    assert meter.key == f"user:{key}"
    assert meter.window_ms == round(hours * HOUR_MS)


@pytest.mark.parametrize(
    ("moment", "key", "days"),
    [
        ("2026-12-31T23:59", "20261201mt", 1 / 1440),
        ("2027-01-01T00:00", "20270101mt", 31),
        ("2028-02-01T00:00", "20280201mt", 29),
    ],
)
def test_months_end_with_their_last_day(
    monkeypatch: pytest.MonkeyPatch, moment: str, key: str, days: float
) -> None:
    now = dt.datetime.fromisoformat(f"{moment}:00+00:00")
    monkeypatch.setattr(clock, "now", lambda: now)
    [meter] = meters.of_call(caller_of(token_quota_monthly=1), "chat", 0, 0)
    assert meter.key == f"user:{key}"
    assert meter.window_ms == round(days * 24 * HOUR_MS)


def test_the_tighter_limit_of_an_answer_counts() -> None:
    own = {"chat": {"max_output_tokens": 5}, "free": {"max_output_tokens": 0}}
    policy = caller_of(max_output_tokens=9, per_model=own).policy
    limits = [policy.output_limit(model) for model in ("chat", "free", "other")]
    assert limits == [5, 9, 9]
    assert caller_of(per_model={"chat": {"max_output_tokens": 5}}).policy.output_limit("chat") == 5
    assert caller_of().policy.output_limit("chat") is None
