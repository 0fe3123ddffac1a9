"""The time, from one place so that tests can move it."""

import datetime as dt
import time


def now() -> dt.datetime:
    """Aware UTC time."""
    return dt.datetime.now(dt.UTC)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that never steps back; only differences mean something."""
    return time.monotonic()
