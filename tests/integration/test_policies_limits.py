"""Every limit of a policy at its boundary, counted together by two API processes."""

import datetime as dt
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import clock
from tests.integration.policies import (
    COMPLETION,
    MAX_TOKENS,
    MODELS,
    USED_NANOS,
    USED_TOKENS,
    People,
)
from tests.stack.of_module import stack_of_module

HOUR = 3_600
GATED = {"gated": {"upstream": "sim-chat-gatelimits"}}
RATE = {"rate_limit": 2, "rate_limit_window_seconds": HOUR}
LIMITED, USED_UP = "rate_limit_exceeded", "insufficient_quota"


@pytest.fixture(scope="module")
def people(sqlite_template: Path) -> Generator[People]:
    with (
        stack_of_module(sqlite_template, apis=2, models={**MODELS, **GATED}) as stack,
        People(stack) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def held_tokens(people: People) -> int:
    """What one call reserves until it is known what it used."""
    limit = 1_000_000
    answer = people.add({"tokens_per_minute": limit}).ask()
    held = limit - int(answer.headers["x-ratelimit-remaining-tokens"])
    assert held > MAX_TOKENS
    return held


@pytest.fixture(scope="module")
def held_nanos(held_tokens: int) -> int:
    return (held_tokens - MAX_TOKENS) * 1_000 + MAX_TOKENS * 10_000


def seconds_to_midnight(timezone: dt.tzinfo) -> float:
    now = clock.now().astimezone(timezone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    return (midnight - now).total_seconds()


def test_requests_per_window(people: People) -> None:
    person = people.add(RATE)
    left = [person.ask().headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    answer = person.is_refused(429, LIMITED)
    assert 0 < int(answer.headers["retry-after"]) <= 2 * HOUR  # windows slide
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_window_slides(people: People) -> None:
    person = people.add({"rate_limit": 1, "rate_limit_window_seconds": 1})
    person.passes()
    people.stack.wait_for(lambda: person.ask().status_code == 200, timeout_seconds=5)


def test_the_window_is_a_minute_unless_named(people: People) -> None:
    person = people.add({"rate_limit": 1})
    reset = person.ask().headers["x-ratelimit-reset-requests"]
    assert 0 < float(reset.removesuffix("s")) <= 60
    person.is_refused(429, LIMITED)


def test_requests_per_day(people: People) -> None:
    person = people.add({"request_quota_daily": 2})
    person.passes(2)
    answer = person.is_refused(429, USED_UP)
    assert abs(int(answer.headers["retry-after"]) - seconds_to_midnight(dt.UTC)) < 10


def test_a_day_ends_at_midnight_where_the_policy_lives(people: People) -> None:
    person = people.add({"request_quota_daily": 1, "timezone": "Asia/Kathmandu"})
    person.passes()
    answer = person.is_refused(429, USED_UP)
    kathmandu = dt.timezone(dt.timedelta(hours=5, minutes=45))
    assert abs(int(answer.headers["retry-after"]) - seconds_to_midnight(kathmandu)) < 10


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tokens_per_minute", LIMITED),
        ("token_quota_daily", USED_UP),
        ("token_quota_monthly", USED_UP),
    ],
)
def test_tokens(people: People, held_tokens: int, name: str, code: str) -> None:
    enough = USED_TOKENS + held_tokens
    # The older part of a window slides out while we look.
    person = people.add({name: enough - (2 if code == LIMITED else 1)})
    person.passes()
    assert int(person.is_refused(429, code).headers["retry-after"]) >= 1
    person = people.add({name: enough})
    person.passes(2)
    person.is_refused(429, code)


@pytest.mark.parametrize("name", ["cost_quota_daily_usd", "cost_quota_monthly_usd"])
def test_costs(people: People, held_nanos: int, name: str) -> None:
    def usd(nanos: int) -> str:
        return str(Decimal(nanos) / 10**9)

    person = people.add({name: usd(USED_NANOS + held_nanos - 1)})
    person.passes()
    assert "USD" in person.is_refused(429, USED_UP).text
    person = people.add({name: usd(USED_NANOS + held_nanos)})
    person.passes(2)
    person.is_refused(429, USED_UP)


def test_calls_at_the_same_time(people: People) -> None:
    person = people.add({"max_concurrency": 2})
    with ThreadPoolExecutor() as threads:
        try:
            calls = [threads.submit(person.begin, "gated") for _ in range(2)]
            people.stack.simulator.gate("limits", waiting=2)
            for _ in range(2):
                answer = person.begin()
                assert (answer.status_code, answer.json()["error"]["code"]) == (429, LIMITED)
                assert answer.headers["retry-after"] == "1"
        finally:
            people.stack.simulator.open_gate("limits")
        assert [call.result().status_code for call in calls] == [200, 200]
    person.passes(3)


@pytest.mark.parametrize(("asked", "sent"), [(4, 4), (5, 5), (6, 5), (None, 5)])
def test_the_length_of_an_answer(people: People, asked: int | None, sent: int) -> None:
    person = people.add({"max_output_tokens": 5})
    people.stack.simulator.clear_journal()
    answer = person.ask("gpt-one", max_tokens=asked)
    assert answer.status_code == 200, answer.text
    [entry] = people.stack.simulator.journal()
    assert sent in (entry["body"].get("max_tokens"), entry["body"].get("max_completion_tokens"))
    assert answer.json()["usage"]["completion_tokens"] <= sent


@pytest.mark.parametrize("limit", [RATE, {"request_quota_daily": 2}])
def test_a_failed_call_gives_its_unit_back(people: People, limit: dict[str, Any]) -> None:
    person = people.add(limit)
    for _ in range(3):
        assert person.ask("broken").status_code == 400
    person.passes(2)
    assert person.ask().status_code == 429
    assert person.spent() == (5, 2 * USED_NANOS)


def test_a_call_that_one_limit_refuses_uses_nothing_of_the_others(people: People) -> None:
    person = people.add({"rate_limit": 9, "request_quota_daily": 1})
    person.passes()
    person.is_refused(429, USED_UP)
    answer = people.add(RATE | {"request_quota_daily": 9}).ask()
    assert answer.headers["x-ratelimit-remaining-requests"] == "1"


def test_nothing_is_a_limit_that_is_zero(people: People) -> None:
    names = [
        *("rate_limit", "request_quota_daily", "token_quota_daily", "token_quota_monthly"),
        *("tokens_per_minute", "max_concurrency", "max_output_tokens"),
        *("cost_quota_daily_usd", "cost_quota_monthly_usd"),
    ]
    person = people.add(dict.fromkeys(names, 0))
    person.passes(3)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({"rate_limit": 1, "rate_limit_window_seconds": HOUR}, LIMITED),
        ({"request_quota_daily": 1}, USED_UP),
        ({"tokens_per_minute": "held"}, LIMITED),
        ({"token_quota_daily": "held"}, USED_UP),
    ],
)
def test_limits_of_one_model(
    people: People, held_tokens: int, own: dict[str, Any], code: str
) -> None:
    given = {name: held_tokens if limit == "held" else limit for name, limit in own.items()}
    person = people.add({"per_model": {"chat": given}})
    person.passes()
    person.is_refused(429, code)
    person.passes(2, "gpt-one")


def test_limits_of_one_model_never_widen_those_for_all(people: People) -> None:
    own = {"rate_limit": 9, "rate_limit_window_seconds": HOUR, "max_output_tokens": 90}
    person = people.add({**RATE, "max_output_tokens": COMPLETION, "per_model": {"gpt-one": own}})
    people.stack.simulator.clear_journal()
    answer = person.ask("gpt-one", max_tokens=50)
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.json()["usage"]["completion_tokens"] <= COMPLETION
    person.passes()
    person.is_refused(429, LIMITED, "gpt-one")


def test_the_length_of_an_answer_of_one_model(people: People) -> None:
    own = {"gpt-one": {"max_output_tokens": 3}}
    person = people.add({"max_output_tokens": 5, "per_model": own})
    people.stack.simulator.clear_journal()
    for model in ("gpt-one", "gpt-two"):
        assert person.ask(model, max_tokens=9).status_code == 200
    lengths = [
        entry["body"].get("max_tokens") or entry["body"].get("max_completion_tokens")
        for entry in people.stack.simulator.journal()
    ]
    assert lengths == [3, 5]


@pytest.mark.parametrize(
    "policy",
    [
        {"tokens_per_minute": 60},
        {"token_quota_daily": 60},
        {"cost_quota_daily_usd": Decimal("0.0005")},
    ],
)
def test_an_answer_of_no_named_length_is_cut_to_what_is_left(
    people: People, policy: dict[str, Any]
) -> None:
    """An SDK would repeat for ever what can never fit."""
    person = people.add(policy)
    answer = person.ask(max_tokens=None)
    assert answer.status_code == 200, answer.text
    refused = person.ask(max_tokens=5_000)
    assert refused.status_code == 429
    assert "may use" in refused.json()["error"]["message"]
