"""From where and when a key may be used."""

import datetime as dt

import pytest

from gateway.identity.access import address_allowed, time_allowed


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
    ],
)
def test_times_of_day(
    time: str, ranges: list[tuple[str, str]], timezone: str, *, expected: bool
) -> None:
    moment = dt.datetime.fromisoformat(f"2026-01-15T{time}:00+00:00")
    assert time_allowed(moment, ranges, timezone) is expected
