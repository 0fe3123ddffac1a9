"""The hold covers every outcome of a call; what an allowance buys is its exact inverse."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import pricing

PRICE = st.integers(0, 10**16)
TOKENS = st.integers(0, 10**7)
CHOICES = st.integers(1, 128)
CHAT_PRICES = st.fixed_dictionaries(
    {("input", ""): PRICE, ("output", ""): PRICE},
    optional={
        ("cached_input", ""): PRICE,
        ("cache_write", ""): PRICE,
        ("cache_write", "1h"): PRICE,
        ("audio_input", ""): PRICE,
        ("reasoning", ""): PRICE,
        ("audio_output", ""): PRICE,
        ("call", ""): PRICE,
    },
)


@given(CHAT_PRICES, CHOICES, st.lists(TOKENS, min_size=8, max_size=8))
def test_no_split_of_the_tokens_costs_more_than_the_hold(
    prices: dict[tuple[str, str], int], choices: int, parts: list[int]
) -> None:
    dimensions = [
        ("input", ""),
        ("cached_input", ""),
        ("cache_write", ""),
        ("cache_write", "1h"),
        ("audio_input", ""),
        ("output", ""),
        ("reasoning", ""),
        ("audio_output", ""),
    ]
    usage = [(*dimension, part) for dimension, part in zip(dimensions, parts, strict=True)]
    prompt, answer = sum(parts[:5]), sum(parts[5:])
    charge = pricing.cost(pricing.add_call(usage, prices), prices)
    assert charge <= pricing.upper_bound(prompt, ceil(answer / choices), choices, prices)


@given(CHAT_PRICES, TOKENS, TOKENS, CHOICES)
def test_the_hold_is_the_charge_where_all_tokens_have_one_price(
    prices: dict[tuple[str, str], int], prompt: int, output: int, choices: int
) -> None:
    plain = {key: prices[key] for key in [("input", ""), ("output", "")]}
    charge = pricing.cost([("input", "", prompt), ("output", "", output * choices)], plain)
    assert pricing.upper_bound(prompt, output, choices, plain) == charge


@given(CHAT_PRICES, TOKENS, TOKENS, CHOICES)
def test_more_tokens_are_never_held_for_less(
    prices: dict[tuple[str, str], int], prompt: int, output: int, choices: int
) -> None:
    held = pricing.upper_bound(prompt, output, choices, prices)
    assert pricing.upper_bound(prompt + 1, output, choices, prices) >= held
    assert pricing.upper_bound(prompt, output + 1, choices, prices) >= held
    assert pricing.upper_bound(prompt, output, choices + 1, prices) >= held


@given(CHAT_PRICES, st.integers(0, 10**16), TOKENS, CHOICES)
def test_what_is_affordable_is_the_most_that_fits(
    prices: dict[tuple[str, str], int], available: int, prompt: int, choices: int
) -> None:
    tokens = pricing.affordable_output(available, prompt, choices, prices)
    if pricing.upper_bound(prompt, 0, choices, prices) > available:
        assert tokens == 0
        return
    assert pricing.upper_bound(prompt, tokens, choices, prices) <= available
    if tokens != pricing.UNBOUNDED_TOKENS:
        assert pricing.upper_bound(prompt, tokens + 1, choices, prices) > available


def test_free_output_is_affordable_without_bound() -> None:
    prices = {("input", ""): 1_000_000, ("output", ""): 0}
    assert pricing.affordable_output(10, 10, 1, prices) == pricing.UNBOUNDED_TOKENS
    assert pricing.affordable_output(9, 10, 1, prices) == 0


def test_an_embedding_needs_no_price_of_output() -> None:
    assert pricing.upper_bound(10, 0, 1, {("input", ""): 1_000_000}) == 10
    with pytest.raises(pricing.UnpricedError):
        pricing.upper_bound(10, 1, 1, {("input", ""): 1_000_000})
    with pytest.raises(pricing.UnpricedError):
        pricing.affordable_output(10, 1, 1, {("input", ""): 1_000_000})


def test_the_call_price_is_held_once_whatever_the_choices() -> None:
    prices = {("input", ""): 0, ("output", ""): 0, ("call", ""): 5_000_000}
    assert pricing.upper_bound(10, 10, 7, prices) == 5


def test_what_is_sold_by_the_call_alone_costs_the_same_however_long_it_is() -> None:
    prices = {("call", ""): 5_000_000}
    assert pricing.upper_bound(10, 0, 1, prices) == 5
    assert pricing.affordable_output(5, 10, 1, prices) == pricing.UNBOUNDED_TOKENS
    assert pricing.affordable_output(4, 10, 1, prices) == 0


@pytest.mark.parametrize(
    ("type_", "prices", "sellable"),
    [
        ("chat", {("input", ""): 0, ("output", ""): 0}, True),
        ("chat", {("input", ""): 1}, False),
        ("chat", {("input", "1h"): 1, ("output", ""): 1}, False),
        ("chat", {("call", ""): 1}, False),
        ("chat", {}, False),
        ("realtime", {("input", ""): 1, ("output", ""): 1}, True),
        ("embedding", {("input", ""): 1}, True),
        ("embedding", {("output", ""): 1}, False),
        ("moderation", {("call", ""): 0}, True),
        ("moderation", {("input", ""): 1}, True),
        ("moderation", {("output", ""): 1}, False),
        ("image", {("image", "1024x1024"): 1}, True),
        ("image", {("character", ""): 1}, False),
        ("audio", {("minute", ""): 1}, True),
        ("video", {("second", "720p"): 1}, True),
        ("midjourney", {("action", "imagine"): 1}, True),
        ("midjourney", {("image", ""): 1}, False),
        ("unheard-of", {("input", ""): 1}, False),
    ],
)
def test_what_can_be_sold(type_: str, prices: pricing.Prices, sellable: bool) -> None:  # noqa: FBT001
    assert pricing.is_sellable(type_, prices) is sellable
