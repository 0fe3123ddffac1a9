"""What a usage costs: the exact product of quantities and prices, rounded up once."""

from collections.abc import Mapping, Sequence

from gateway.money import Nanos
from gateway.pricing.dimensions import STAND_INS, UnpricedError

Prices = Mapping[tuple[str, str], int]
"""Nanos per million units by (dimension, variant); variant "" is the price of all others."""

Usage = Sequence[tuple[str, str, int]]
"""Quantities by (dimension, variant)."""

UNITS = 1_000_000
"""How many units a price is for."""

TOKENS = frozenset({"input", "output", *STAND_INS})


def cost(usage: Usage, prices: Prices) -> Nanos:
    """What the usage costs; raises UnpricedError if a quantity above zero has no price."""
    total = 0
    for dimension, variant, quantity in usage:
        if quantity > 0:
            price = prices.get((dimension, variant))
            if price is None:
                price = find_stand_in(dimension, variant, prices)
            total += quantity * price
    return Nanos(-(-total // UNITS))


def upstream_cost(usage: Usage, prices: Prices, factor_millionths: int) -> Nanos:
    """What the vendor asks of us: list prices times the backend's factor, rounded up once."""
    total = 0
    for dimension, variant, quantity in usage:
        if quantity > 0:
            total += quantity * price_of(dimension, variant, prices)
    return Nanos(-(-total * factor_millionths // (UNITS * 1_000_000)))


def price_of(dimension: str, variant: str, prices: Prices) -> int:
    """The price of one dimension, after all fallbacks."""
    price = prices.get((dimension, variant))
    return find_stand_in(dimension, variant, prices) if price is None else price


def find_stand_in(dimension: str, variant: str, prices: Prices) -> int:
    """The price of the plain variant, else of the dimension that stands in for this one."""
    price = prices.get((dimension, ""))
    if price is not None:
        return price
    stand_in = STAND_INS.get(dimension, "")
    price = prices.get((stand_in, variant), prices.get((stand_in, "")))
    if price is None and dimension in TOKENS and is_sold_by_call(prices):
        return 0
    if price is None:
        raise UnpricedError(dimension, variant)
    return price


def is_sold_by_call(prices: Prices) -> bool:
    """Whether nothing but the call is paid for: its tokens are counted, and cost nothing."""
    return {dimension for dimension, _ in prices} == {"call"}


def add_call(usage: Usage, prices: Prices) -> list[tuple[str, str, int]]:
    """The usage, with the call itself counted where it has a price of its own."""
    if any(dimension == "call" for dimension, _ in prices):
        return [*usage, ("call", "", 1)]
    return list(usage)
