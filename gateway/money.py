"""Amounts of money: integer nanos, billionths of a US dollar."""

from decimal import ROUND_CEILING, Decimal
from typing import NewType

Nanos = NewType("Nanos", int)

PER_USD = 1_000_000_000
PER_QUOTA_UNIT = 2_000
ZERO = Nanos(0)


def from_usd(amount: Decimal | str | int) -> Nanos:
    """US dollars, as text or Decimal, to nanos; a fraction of a nano is rounded up."""
    exact = Decimal(amount) * PER_USD
    return Nanos(int(exact.to_integral_value(rounding=ROUND_CEILING)))


def to_usd(amount: int) -> Decimal:
    """Exact US dollars."""
    return Decimal(amount) / PER_USD


def format_usd(amount: int) -> str:
    """US dollars with at least two decimals and no trailing zeros, for people: ``0.000125``."""
    text = f"{to_usd(amount):.9f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"
