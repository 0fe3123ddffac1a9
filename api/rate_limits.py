"""Rate limit headers, as the clients of each dialect know them."""

import datetime as dt
import math
from collections.abc import Mapping

from gateway import clock
from gateway.protocols.errors import ANTHROPIC, Dialect

NAMES = {"r": "requests", "t": "tokens"}

Limits = Mapping[str, tuple[str, str, float]]
"""Unit → limit, remaining, seconds to the reset."""


def headers_of(dialect: Dialect, limits: Limits) -> dict[str, str]:
    describe = _anthropic if dialect is ANTHROPIC else _openai
    headers: dict[str, str] = {}
    for unit, (limit, remaining, reset_seconds) in limits.items():
        headers |= describe(NAMES[unit], limit, remaining, reset_seconds)
    return headers


def _openai(name: str, limit: str, remaining: str, reset_seconds: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{name}": limit,
        f"x-ratelimit-remaining-{name}": remaining,
        f"x-ratelimit-reset-{name}": duration(reset_seconds),
    }


def _anthropic(name: str, limit: str, remaining: str, reset_seconds: float) -> dict[str, str]:
    # Whole seconds, and none too early.
    reset_at = dt.datetime.fromtimestamp(math.ceil(clock.now().timestamp() + reset_seconds), dt.UTC)
    prefix = f"anthropic-ratelimit-{name}"
    return {
        f"{prefix}-limit": limit,
        f"{prefix}-remaining": remaining,
        f"{prefix}-reset": reset_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def duration(seconds: float) -> str:
    """As Go writes it: ``1.234s``, ``2m3.500s``, ``1h0m0.000s``."""
    minutes, rest_ms = divmod(round(seconds * 1000), 60_000)
    text = f"{rest_ms / 1000:.3f}s"
    if not minutes:
        return text
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
