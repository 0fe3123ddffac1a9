"""From where and when a key may be used: pure decisions over the lists of key, app and policy."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo


def address_allowed(address: str, allow: Sequence[str], deny: Sequence[str]) -> bool:
    """Denied entries win; an empty allow list allows everybody.

    Entries are addresses, CIDR networks or ranges ``from-to``. What cannot be read never
    matches, so that a broken entry in an allow list keeps people out rather than in.
    """
    if not allow and not deny:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(_matches(parsed, entry) for entry in deny):
        return False
    return not allow or any(_matches(parsed, entry) for entry in allow)


def is_entry(text: str) -> bool:
    """Whether an entry of such a list can be read."""
    return bool(_networks(text))


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _matches(address: Address, entry: str) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return any(address in network for network in _networks(entry)) or (
        mapped is not None and _matches(mapped, entry)
    )


@lru_cache(maxsize=4096)
def _networks(entry: str) -> tuple[Network, ...]:
    first, is_range, last = (part.strip() for part in entry.partition("-"))
    try:
        if not is_range:
            return (ipaddress.ip_network(first, strict=False),)
        ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return tuple(ipaddress.summarize_address_range(*ends))
    except (ValueError, TypeError):
        return ()


def time_allowed(moment: dt.datetime, ranges: Sequence[tuple[str, str]], timezone: str) -> bool:
    """Whether a local time of day lies in one of the ranges; no ranges allow all day.

    The end is exclusive; a range whose start is after its end spans midnight. Local is what
    the clock on the wall shows: an hour that it skips is in no range, one that it repeats is
    in twice.
    """
    if not ranges:
        return True
    now = moment.astimezone(ZoneInfo(timezone)).strftime("%H:%M")
    return any(_within(now, start, end) for start, end in ranges)


def _within(now: str, start: str, end: str) -> bool:
    # Times of day as HH:MM compare as text; 24:00 is after all of them.
    return start <= now < end if start <= end else now >= start or now < end
