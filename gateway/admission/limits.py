"""What the meters of a call have left: for headers, and for the error that refuses it."""

from collections.abc import Sequence

from gateway import money
from gateway.admission.operations import Meter
from gateway.errors import GatewayError, InsufficientQuotaError, RateLimitedError

WINDOW, PERIOD, CONCURRENCY = "w", "p", "c"
COUNTED_BY_LENGTH = frozenset(("t", "n"))  # units: tokens, nanos
# {remaining, reset_ms} of one meter, as the script answers them.
Left = Sequence[bytes]


def window_limits(
    meters: Sequence[Meter], lefts: Sequence[Left]
) -> dict[str, tuple[str, str, float]]:
    """Unit → limit, remaining, seconds to its reset; of two windows the tighter one."""
    found: dict[str, tuple[str, str, float]] = {}
    for meter, (left, reset_ms) in zip(meters, lefts, strict=False):
        if meter.kind != WINDOW:
            continue
        known = found.get(meter.unit)
        if known is None or int(left) < int(known[1]):
            found[meter.unit] = (meter.limit, left.decode(), int(reset_ms) / 1000)
    return found


def limit_error(
    meters: Sequence[Meter], index: int, wait_ms: int, lefts: Sequence[Left]
) -> GatewayError:
    """The refusal by one of the meters, with what all of them have left."""
    meter = meters[index]
    # Without a word of what was used, nothing was.
    left = lefts[index][0].decode() if lefts else meter.limit
    seconds = max(1.0, wait_ms / 1000)
    error = _refusal_by(meter, left).with_retry_after(seconds)
    error.rate_limits = window_limits(meters, lefts)
    if meter.kind == WINDOW:
        error.rate_limits[meter.unit] = (meter.limit, left, seconds)
    if meter.unit in COUNTED_BY_LENGTH:
        error.left = _left_by_unit(meters, lefts)
    return error


def _left_by_unit(meters: Sequence[Meter], lefts: Sequence[Left]) -> dict[str, int]:
    """Of tokens and of nanos, what the tightest of their meters has left."""
    found: dict[str, int] = {}
    for meter, (left, _) in zip(meters, lefts, strict=False):
        if meter.unit in COUNTED_BY_LENGTH:
            found[meter.unit] = min(int(left), found.get(meter.unit, int(left)))
    return found


def _refusal_by(meter: Meter, left: str) -> GatewayError:
    refusal = InsufficientQuotaError if meter.kind == PERIOD else RateLimitedError
    span = "for this period" if meter.kind == PERIOD else "for this window"
    if meter.unit in COUNTED_BY_LENGTH:
        return refusal(
            f"This request may use {_amount(meter.amount, meter.unit)}; of"
            f" {_amount(meter.limit, meter.unit)} {span}, {_amount(left, meter.unit)} are left."
        )
    if meter.kind == CONCURRENCY:
        return RateLimitedError("Too many requests at the same time.")
    if meter.kind == PERIOD:
        return InsufficientQuotaError(
            f"The quota of {_amount(meter.limit, meter.unit)} for this period is used up."
        )
    return RateLimitedError()


def _amount(quantity: str, unit: str) -> str:
    if unit == "n":
        return f"{money.format_usd(int(quantity))} USD"
    return f"{quantity} {'requests' if unit == 'r' else 'tokens'}"
