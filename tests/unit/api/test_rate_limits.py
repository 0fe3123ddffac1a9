"""Rate limits are told in the headers that each dialect's clients read."""

import datetime as dt

import pytest

from api.rate_limits import duration, headers_of
from gateway import clock
from gateway.protocols.errors import ANTHROPIC, OPENAI

LIMITS = {"r": ("60", "59", 12.3456), "t": ("1000", "0", 61.5)}
NOON = dt.datetime(2026, 1, 2, 12, 0, 0, tzinfo=dt.UTC)


def test_one_dialect_says_how_long() -> None:
    assert headers_of(OPENAI, LIMITS) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "12.346s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m1.500s",
    }


def test_the_other_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    assert headers_of(ANTHROPIC, LIMITS) == {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2026-01-02T12:00:13Z",
        "anthropic-ratelimit-tokens-limit": "1000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-01-02T12:01:02Z",
    }


def test_without_limits_nothing_is_said() -> None:
    assert headers_of(OPENAI, {}) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.000s"),
        (1.234, "1.234s"),
        (59.9996, "1m0.000s"),
        (150, "2m30.000s"),
        (3600, "1h0m0.000s"),
        (90061.5, "25h1m1.500s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text
