"""Arithmetic of prices: what was used costs, what a call may cost, what can be sold."""

from gateway.pricing.cost import Prices, Usage, add_call, cost, price_of, upstream_cost
from gateway.pricing.dimensions import Dimension, UnpricedError
from gateway.pricing.quote import UNBOUNDED_TOKENS, affordable_output, is_sellable, upper_bound

__all__ = [
    "UNBOUNDED_TOKENS",
    "Dimension",
    "Prices",
    "UnpricedError",
    "Usage",
    "add_call",
    "affordable_output",
    "cost",
    "is_sellable",
    "price_of",
    "upper_bound",
    "upstream_cost",
]
