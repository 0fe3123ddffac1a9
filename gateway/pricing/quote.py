"""What a call may cost at most, before it is made: the hold, and what a small allowance buys."""

from gateway.money import Nanos
from gateway.pricing.cost import UNITS, Prices, is_sold_by_call
from gateway.pricing.dimensions import UnpricedError

UNBOUNDED_TOKENS = 2**53 - 1
"""How much output is affordable where output is free."""

_PROMPT = frozenset({"input", "cached_input", "cache_write", "audio_input"})
_ANSWER = frozenset({"output", "reasoning", "audio_output"})

_REQUIRED: dict[str, tuple[frozenset[str], ...]] = {
    "chat": (frozenset({"input"}), frozenset({"output"})),
    "realtime": (frozenset({"input"}), frozenset({"output"})),
    "embedding": (frozenset({"input"}),),
    "moderation": (frozenset({"input", "call"}),),
    "image": (frozenset({"image", "call", "output"}),),
    "audio": (frozenset({"character", "second", "minute", "call", "input"}),),
    "video": (frozenset({"second", "call"}),),
    "midjourney": (frozenset({"action"}),),
}
"""By model type: of each group at least one dimension needs a price. A price of 0 is one."""


def upper_bound(prompt_tokens: int, output_tokens: int, choices: int, prices: Prices) -> Nanos:
    """What a call costs at most, however the vendor splits its tokens over our dimensions."""
    prompt_price, answer_price, call_price = _dearest(prices)
    total = (
        _product(prompt_tokens, prompt_price, "input")
        + _product(output_tokens * choices, answer_price, "output")
        + call_price
    )
    return Nanos(-(-total // UNITS))


def affordable_output(available: int, prompt_tokens: int, choices: int, prices: Prices) -> int:
    """The most output tokens per choice whose upper bound is within ``available`` nanos.

    Zero if there are none, also where the prompt alone costs more than that.
    """
    prompt_price, answer_price, call_price = _dearest(prices)
    if answer_price is None:
        raise UnpricedError("output")
    left = available * UNITS - _product(prompt_tokens, prompt_price, "input") - call_price
    if left < 0:
        return 0
    if answer_price == 0:
        return UNBOUNDED_TOKENS
    return left // (answer_price * choices)


def is_sellable(type_: str, prices: Prices) -> bool:
    """Whether a model of this type has the prices without which nobody may use it."""
    groups = _REQUIRED.get(type_)
    if groups is None:
        return False
    # Tokens are always counted without a variant, other units often only with one.
    tokens = _PROMPT | _ANSWER
    priced = {dimension for dimension, variant in prices if not variant or dimension not in tokens}
    return all(group & priced for group in groups)


def _dearest(prices: Prices) -> tuple[int | None, int | None, int]:
    """The highest price of a prompt token, of an answer token, and of the call."""
    unset = 0 if is_sold_by_call(prices) else None
    prompt_price: int | None = prices.get(("input", ""), unset)
    answer_price: int | None = prices.get(("output", ""), unset)
    call_price = 0
    for (dimension, _), price in prices.items():
        if dimension in _PROMPT:
            if prompt_price is not None and price > prompt_price:
                prompt_price = price
        elif dimension in _ANSWER:
            if answer_price is not None and price > answer_price:
                answer_price = price
        elif dimension == "call" and price > call_price:
            call_price = price
    return prompt_price, answer_price, call_price


def _product(quantity: int, price: int | None, dimension: str) -> int:
    if quantity <= 0:
        return 0
    if price is None:
        raise UnpricedError(dimension)
    return quantity * price
