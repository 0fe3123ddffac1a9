"""Prices of well-known models come from bundled data, as one flat price per dimension."""

import datetime as dt
from decimal import Decimal

from gateway.pricing import known

TODAY = dt.date(2026, 1, 1)


def usd(*names: str, vendor: str = "", today: dt.date = TODAY) -> dict[str, Decimal]:
    found = known.find_prices(names, vendor, today)
    assert found is not None
    assert found.source.startswith("genai-prices ")
    return found.usd_per_million


def test_the_list_price_of_a_chat_model_is_known() -> None:
    assert usd("gpt-4o-mini") == {
        "input": Decimal("0.15"),
        "cached_input": Decimal("0.075"),
        "output": Decimal("0.6"),
    }


def test_a_price_that_rises_with_the_prompt_is_that_of_a_short_one() -> None:
    assert usd("claude-sonnet-4-5") == {
        "input": Decimal(3),
        "cached_input": Decimal("0.3"),
        "cache_write": Decimal("3.75"),
        "output": Decimal(15),
    }


def test_a_price_is_that_of_the_day() -> None:
    assert usd("o3", today=dt.date(2025, 6, 9))["input"] == 10
    assert usd("o3", today=dt.date(2025, 6, 10))["input"] == 2


def test_a_price_that_falls_at_night_is_that_of_the_day_time() -> None:
    assert usd("deepseek-chat", today=dt.date(2025, 8, 1))["output"] == Decimal("1.1")


def test_seconds_of_audio_are_priced_by_the_million_too() -> None:
    assert usd("whisper-1") == {"second": Decimal(100)}


def test_the_name_upstream_is_tried_after_the_models_own() -> None:
    assert usd("our-own-name", "gpt-4o-mini")["input"] == Decimal("0.15")


def test_an_unknown_model_has_no_price() -> None:
    assert known.find_prices(["no-such-model"], "", TODAY) is None
