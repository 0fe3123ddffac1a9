"""What the meters of a call have left: for headers, and for the error that refuses it."""

from collections.abc import Sequence

from gateway import money
from gateway.admission.operations import Meter
from gateway.errors import GatewayError, InsufficientQuotaError, RateLimitedError

WINDOW, PERIOD, CONCURRENCY = "w", "p", "c"
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
    error = _refusal_by(meters[index]).with_retry_after(max(1.0, wait_ms / 1000))
    error.rate_limits = window_limits(meters, lefts)
    return error


def _refusal_by(meter: Meter) -> GatewayError:
    if meter.kind == PERIOD:
        quota = _amount(meter)
        return InsufficientQuotaError(f"The quota of {quota} for this period is used up.")
    if meter.kind == CONCURRENCY:
        return RateLimitedError("Too many requests at the same time.")
    return RateLimitedError()


def _amount(meter: Meter) -> str:
    if meter.unit == "n":
        return f"{money.format_usd(int(meter.limit))} USD"
    return f"{meter.limit} {'requests' if meter.unit == 'r' else 'tokens'}"
