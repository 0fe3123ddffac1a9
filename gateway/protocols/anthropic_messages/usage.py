"""Usage as the Anthropic dialect reports it, to and from quantities that do not overlap.

On the wire ``input_tokens`` excludes what was read from or written to the cache, and
``output_tokens`` includes thinking. Here nothing includes anything.
"""

from typing import Any

from gateway.protocols.canonical import Json, Usage, count

_NUMBERS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
)


def read(wire: object) -> Usage | None:
    """Usage as some server wrote it; None where it counts nothing at all."""
    if not isinstance(wire, dict):
        return None
    fresh, cached, written, output = (_number(wire.get(name)) for name in _NUMBERS)
    written = written or _written_by_lifetime(wire.get("cache_creation"))
    if not (fresh or cached or written or output):
        return None
    details = wire.get("output_tokens_details")
    thinking = _number(details.get("thinking_tokens")) if isinstance(details, dict) else 0
    thinking = min(thinking, output)
    usage = [("input", "", fresh), ("output", "", output - thinking)]
    parts = (("cached_input", cached), ("cache_write", written), ("reasoning", thinking))
    return usage + [(name, "", quantity) for name, quantity in parts if quantity]


def merge(earlier: Json, later: object) -> Json:
    """Cumulative numbers: a later one takes the place of an earlier; null and 0 leave it."""
    if not isinstance(later, dict):
        return earlier
    return earlier | {name: value for name, value in later.items() if value}


def write(usage: Usage) -> dict[str, Any]:
    written: dict[str, Any] = {
        "input_tokens": count(usage, "input", "audio_input"),
        "cache_creation_input_tokens": count(usage, "cache_write"),
        "cache_read_input_tokens": count(usage, "cached_input"),
        "output_tokens": count(usage, "output", "reasoning", "audio_output"),
    }
    if thinking := count(usage, "reasoning"):
        written["output_tokens_details"] = {"thinking_tokens": thinking}
    return written


def _written_by_lifetime(creation: object) -> int:
    """Some servers tell only how much was written for which time."""
    return sum(map(_number, creation.values())) if isinstance(creation, dict) else 0


def _number(value: object) -> int:
    is_number = isinstance(value, int | float) and 0 < value < float("inf")
    return int(value) if is_number else 0  # type: ignore[call-overload]
