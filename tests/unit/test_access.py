"""From where, when and for which models a key may be used."""

import datetime as dt

import pytest

from gateway.identity.access import address_allowed, time_allowed
from gateway.identity.model_lists import admits


@pytest.mark.parametrize(
    ("address", "allow", "deny", "expected"),
    [
        ("10.1.2.3", [], [], True),
        ("10.1.2.3", ["10.1.2.3"], [], True),
        ("10.1.2.4", ["10.1.2.3"], [], False),
        ("10.1.2.4", ["10.1.0.0/16"], [], True),
        ("10.2.0.1", ["10.1.0.0/16"], [], False),
        ("10.0.0.5", ["10.0.0.1-10.0.0.5"], [], True),
        ("10.0.0.6", ["10.0.0.1-10.0.0.5"], [], False),
        ("10.0.0.5", ["10.0.0.0/8"], ["10.0.0.5"], False),
        ("10.0.0.5", [], ["10.0.0.5"], False),
        ("10.0.0.6", [], ["10.0.0.5"], True),
        ("2001:db8::1", ["2001:db8::/32"], [], True),
        ("2001:db9::1", ["2001:db8::/32"], [], False),
        ("::ffff:10.0.0.5", ["10.0.0.0/8"], [], True),
        ("::ffff:10.0.0.5", [], ["10.0.0.0/8"], False),
        ("not an address", ["0.0.0.0/0"], [], False),
        ("10.0.0.5", ["nonsense"], [], False),
        ("10.0.0.5", ["10.0.0.9-2001:db8::1"], [], False),
        ("127.0.0.1", ["10.0.0.0/8"], [], False),
        ("10.0.0.3", ["10.0.0.1 - 10.0.0.5"], [], True),
        ("10.0.0.0", ["10.0.0.1-10.0.0.5"], [], False),
        ("10.0.0.3", ["10.0.0.5-10.0.0.1"], [], False),
        ("10.1.2.3", ["10.9.9.9", "10.1.2.3"], [], True),
        ("10.1.2.4", ["10.1.2.3/24"], [], True),
        ("2001:db8::5", ["2001:db8::1-2001:db8::5"], [], True),
        ("2001:db8::6", ["2001:db8::1-2001:db8::5"], [], False),
        ("2001:DB8:0:0:0:0:0:1", ["2001:db8::1"], [], True),
        ("2001:db8::1", [], ["2001:db8::/64"], False),
        ("10.0.0.5", ["2001:db8::/32"], [], False),
        ("2001:db8::1", ["0.0.0.0/0"], [], False),
        ("::1", ["0.0.0.0/0", "2001:db8::/32"], [], False),
        ("not an address", [], ["10.0.0.0/8"], False),
    ],
)
def test_addresses(address: str, allow: list[str], deny: list[str], *, expected: bool) -> None:
    assert address_allowed(address, allow, deny) is expected


@pytest.mark.parametrize(
    ("time", "ranges", "timezone", "expected"),
    [
        ("12:00", [], "UTC", True),
        ("08:59", [("09:00", "17:00")], "UTC", False),
        ("09:00", [("09:00", "17:00")], "UTC", True),
        ("16:59", [("09:00", "17:00")], "UTC", True),
        ("17:00", [("09:00", "17:00")], "UTC", False),
        ("23:00", [("22:00", "06:00")], "UTC", True),
        ("05:59", [("22:00", "06:00")], "UTC", True),
        ("06:00", [("22:00", "06:00")], "UTC", False),
        ("23:59", [("20:00", "24:00")], "UTC", True),
        ("13:00", [("09:00", "10:00"), ("12:00", "14:00")], "UTC", True),
        ("08:30", [("09:00", "17:00")], "Europe/Berlin", True),
        ("16:30", [("09:00", "17:00")], "Europe/Berlin", False),
        ("19:59", [("20:00", "24:00")], "UTC", False),
        ("00:00", [("20:00", "24:00")], "UTC", False),
        ("00:00", [("00:00", "24:00")], "UTC", True),
        ("23:59", [("00:00", "24:00")], "UTC", True),
        ("23:59", [("22:00", "00:00")], "UTC", True),
        ("00:00", [("22:00", "00:00")], "UTC", False),
        ("21:59", [("22:00", "06:00")], "UTC", False),
        ("00:00", [("22:00", "06:00")], "UTC", True),
        ("11:00", [("09:00", "10:00"), ("12:00", "14:00")], "UTC", False),
        ("10:00", [("09:00", "10:00"), ("10:00", "11:00")], "UTC", True),
        ("03:00", [("22:00", "02:00"), ("02:30", "04:00")], "UTC", True),
    ],
)
def test_times_of_day(
    time: str, ranges: list[tuple[str, str]], timezone: str, *, expected: bool
) -> None:
    moment = dt.datetime.fromisoformat(f"2026-01-15T{time}:00+00:00")
    assert time_allowed(moment, ranges, timezone) is expected


@pytest.mark.parametrize(
    ("moment", "time_range", "expected"),
    [
        # Berlin, summer: two hours ahead instead of one.
        ("2026-07-15T06:59", ("09:00", "17:00"), False),
        ("2026-07-15T07:00", ("09:00", "17:00"), True),
        ("2026-07-15T14:59", ("09:00", "17:00"), True),
        ("2026-07-15T15:00", ("09:00", "17:00"), False),
        # The hour that is skipped, and the one that comes twice.
        ("2026-03-29T00:59", ("02:00", "03:00"), False),
        ("2026-03-29T01:00", ("02:00", "03:00"), False),
        ("2026-03-29T01:00", ("03:00", "04:00"), True),
        ("2026-10-25T00:30", ("02:00", "03:00"), True),
        ("2026-10-25T01:30", ("02:00", "03:00"), True),
        ("2026-10-25T02:00", ("02:00", "03:00"), False),
    ],
)
def test_times_of_day_are_those_of_the_clock_on_the_wall(
    moment: str, time_range: tuple[str, str], *, expected: bool
) -> None:
    now = dt.datetime.fromisoformat(f"{moment}:00+00:00")
    assert time_allowed(now, [time_range], "Europe/Berlin") is expected


@pytest.mark.parametrize(
    ("names", "model", "expected"),
    [
        ([], "gpt-4o", False),
        (["*"], "gpt-4o", True),
        (["gpt-4o"], "gpt-4o", True),
        (["gpt-4o"], "gpt-4o-mini", False),
        (["gpt-4o"], "GPT-4o", False),
        (["gpt-*"], "gpt-", True),
        (["gpt-*"], "gpt-4o", True),
        (["gpt-*"], "GPT-4o", False),
        (["gpt-*"], "my-gpt-4o", False),
        (["*-mini", "claude-?"], "gpt-4o-mini", True),
        (["*-mini", "claude-?"], "claude-3", True),
        (["*-mini", "claude-?"], "claude-35", False),
        (["gpt-[34]*"], "gpt-4o", True),
        (["gpt-[34]*"], "gpt-5", False),
        (["odd[1]"], "odd[1]", True),
        (["a.c"], "abc", False),
        (["gpt-*"], "gpt-4o\n", True),
        (["gpt-4"], "gpt-4\n", False),
    ],
)
def test_lists_of_models(names: list[str], model: str, *, expected: bool) -> None:
    assert admits(frozenset(names), model) is expected


def test_a_pattern_full_of_stars_costs_no_time() -> None:
    assert not admits(frozenset(["*a" * 60 + "b"]), "a" * 255)
