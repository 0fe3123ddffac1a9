"""How long a vendor asks us to wait, in each of the ways that vendors say it."""

import datetime as dt
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gateway import clock

LONGEST_SECONDS = 3600.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds named by ``Retry-After-Ms`` or ``Retry-After``; an hour at most."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _within(milliseconds / 1000)
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text)
    return None if seconds is None else _within(seconds)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - clock.now()).total_seconds()


def _within(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_SECONDS)
