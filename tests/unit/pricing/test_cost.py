"""A cost is the exact product of quantities and prices, rounded up once."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import pricing
from gateway.errors import ModelNotSellableError
from gateway.protocols import canonical

PRICE = st.integers(0, 10**16)
QUANTITY = st.integers(0, 10**9)
DIMENSION = st.sampled_from([dimension.value for dimension in pricing.Dimension])
VARIANT = st.sampled_from(["", "hd", "1024x1024"])
PRICES = st.fixed_dictionaries(
    {(dimension.value, ""): PRICE for dimension in pricing.Dimension},
    optional={("image", "hd"): PRICE, ("image", "1024x1024"): PRICE, ("input", "hd"): PRICE},
)
USAGE = st.lists(st.tuples(DIMENSION, VARIANT, QUANTITY), max_size=6)


def exact(usage: pricing.Usage, prices: pricing.Prices) -> Fraction:
    return sum(
        (
            Fraction(quantity * pricing.price_of(dimension, variant, prices), 1_000_000)
            for dimension, variant, quantity in usage
        ),
        start=Fraction(0),
    )


@given(USAGE, PRICES)
def test_a_cost_is_exact_and_rounded_up_once(
    usage: list[tuple[str, str, int]], prices: dict[tuple[str, str], int]
) -> None:
    assert pricing.cost(usage, prices) == ceil(exact(usage, prices))


@given(USAGE, PRICES, st.tuples(DIMENSION, VARIANT, QUANTITY))
def test_more_usage_never_costs_less(
    usage: list[tuple[str, str, int]],
    prices: dict[tuple[str, str], int],
    more: tuple[str, str, int],
) -> None:
    assert pricing.cost([*usage, more], prices) >= pricing.cost(usage, prices)


@given(USAGE, USAGE, PRICES)
def test_two_bills_differ_from_one_by_less_than_a_rounding(
    one: list[tuple[str, str, int]],
    other: list[tuple[str, str, int]],
    prices: dict[tuple[str, str], int],
) -> None:
    apart = pricing.cost(one, prices) + pricing.cost(other, prices)
    assert 0 <= apart - pricing.cost(one + other, prices) <= 1


@given(USAGE, PRICES, st.integers(0, 5_000_000))
def test_the_upstream_cost_is_the_cost_times_the_factor_rounded_once(
    usage: list[tuple[str, str, int]], prices: dict[tuple[str, str], int], factor: int
) -> None:
    expected = ceil(exact(usage, prices) * Fraction(factor, 1_000_000))
    assert pricing.upstream_cost(usage, prices, factor) == expected


@given(USAGE, PRICES)
def test_a_factor_of_one_changes_nothing(
    usage: list[tuple[str, str, int]], prices: dict[tuple[str, str], int]
) -> None:
    assert pricing.upstream_cost(usage, prices, 1_000_000) == pricing.cost(usage, prices)


USD = 1_000_000_000
QUOTA_UNIT = 2_000


# Ratios of the founding contract are quota units per token: one is 2 000 000 000 nanos per million.
@pytest.mark.parametrize(
    ("usage", "prices", "nanos"),
    [
        pytest.param(
            [("input", "", 1000), ("output", "", 500)],
            {("input", ""): 10_000_000_000, ("output", ""): 30_000_000_000},
            12_500 * QUOTA_UNIT,
            id="text ratio",
        ),
        pytest.param(
            [("input", "", 3), ("output", "", 1)],
            {("input", ""): 500_000_000, ("output", ""): 2_000_000_000},
            3_500,
            id="text ratio, small: 1.75 units, exact in nanos",
        ),
        pytest.param(
            [("input", "", 1000), ("output", "", 9), ("call", "", 1)],
            {("input", ""): 0, ("output", ""): 0, ("call", ""): 7_000 * QUOTA_UNIT * 1_000_000},
            7_000 * QUOTA_UNIT,
            id="text fixed",
        ),
        pytest.param(
            [("input", "", 3), ("output", "", 3)],
            {("input", ""): 1_000_000_000, ("output", ""): 1_000_000_000},
            3 * QUOTA_UNIT,
            id="multimodal with usage: one rounding",
        ),
        pytest.param(
            [("image", "high", 1), ("image", "low", 1), ("input", "", 10), ("output", "", 20)],
            {
                ("image", "high"): 1105 * QUOTA_UNIT * 1_000_000,
                ("image", ""): 85 * QUOTA_UNIT * 1_000_000,
                ("input", ""): 10_000_000_000,
                ("output", ""): 30_000_000_000,
            },
            1540 * QUOTA_UNIT,
            id="multimodal without usage",
        ),
        pytest.param(
            [
                ("input", "", 10),
                ("audio_input", "", 20),
                ("output", "", 5),
                ("audio_output", "", 40),
            ],
            {
                ("input", ""): 2_500_000_000,
                ("audio_input", ""): 100_000_000_000,
                ("output", ""): 10_000_000_000,
                ("audio_output", ""): 200_000_000_000,
            },
            10_075_000,
            id="multimodal audio: 5037.5 units",
        ),
        pytest.param(
            [("image", "1024x1024", 2)],
            {("image", "1024x1024"): 20_000 * QUOTA_UNIT * 1_000_000},
            40_000 * QUOTA_UNIT,
            id="image",
        ),
        pytest.param(
            [("image", "640x480", 1)],
            {
                ("image", "1024x1024"): 20_000 * QUOTA_UNIT * 1_000_000,
                ("image", ""): 8_000 * QUOTA_UNIT * 1_000_000,
            },
            8_000 * QUOTA_UNIT,
            id="image, unknown size: default row",
        ),
        pytest.param(
            [("character", "", 6)],
            {("character", ""): 15_000_000_000},
            45 * QUOTA_UNIT,
            id="speech",
        ),
        pytest.param(
            [("action", "imagine", 1)],
            {("action", "imagine"): 50_000 * QUOTA_UNIT * 1_000_000},
            50_000 * QUOTA_UNIT,
            id="midjourney imagine",
        ),
        pytest.param(
            [("input", "", 100)], {("input", ""): 2_200_000_000}, 110 * QUOTA_UNIT, id="float trap"
        ),
        pytest.param([("input", "", 1)], {("input", ""): 1}, 1, id="a millionth of a nano is one"),
        pytest.param([("input", "", 1_000_000)], {("input", ""): 1}, 1, id="exactly one nano"),
        pytest.param([("input", "", 1_000_001)], {("input", ""): 1}, 2, id="just above one nano"),
        pytest.param([("input", "", -5)], {("input", ""): USD}, 0, id="nothing is ever given back"),
        pytest.param([], {}, 0, id="nothing"),
        pytest.param([("image", "", 0)], {}, 0, id="nothing of something unpriced"),
    ],
)
def test_worked_examples(usage: pricing.Usage, prices: pricing.Prices, nanos: int) -> None:
    assert pricing.cost(usage, prices) == nanos


@pytest.mark.parametrize(
    ("dimension", "stand_in"),
    [
        ("cached_input", "input"),
        ("cache_write", "input"),
        ("audio_input", "input"),
        ("reasoning", "output"),
        ("audio_output", "output"),
    ],
)
def test_an_unpriced_kind_of_token_costs_what_its_stand_in_costs(
    dimension: str, stand_in: str
) -> None:
    prices = {(stand_in, ""): 7_000_000, ("call", ""): 1}
    assert pricing.cost([(dimension, "1h", 3)], prices) == 21
    prices[stand_in, "1h"] = 8_000_000
    assert pricing.cost([(dimension, "1h", 3)], prices) == 24
    prices[dimension, ""] = 9_000_000
    assert pricing.cost([(dimension, "1h", 3)], prices) == 27
    prices[dimension, "1h"] = 10_000_000
    assert pricing.cost([(dimension, "1h", 3)], prices) == 30


@pytest.mark.parametrize(
    "dimension", ["input", "output", "image", "call", "second", "cached_input"]
)
def test_unset_does_not_mean_free(dimension: str) -> None:
    with pytest.raises(pricing.UnpricedError) as caught:
        pricing.cost([(dimension, "hd", 1)], {("character", ""): 1})
    assert caught.value.dimension == dimension
    assert isinstance(caught.value, ModelNotSellableError)


def test_tokens_cost_nothing_where_only_the_call_is_sold() -> None:
    prices = {("call", ""): 1_000_000}
    assert pricing.cost([("input", "", 5), ("reasoning", "", 7), ("call", "", 1)], prices) == 1
    with pytest.raises(pricing.UnpricedError):
        pricing.cost([("image", "", 1)], prices)
    with pytest.raises(pricing.UnpricedError):
        pricing.cost([("input", "", 5)], {**prices, ("image", ""): 1})


def test_the_call_is_counted_where_it_has_a_price() -> None:
    usage = [("input", "", 5)]
    assert pricing.add_call(usage, {("input", ""): 1}) == usage
    assert pricing.add_call(usage, {("call", ""): 1}) == [("input", "", 5), ("call", "", 1)]


def test_the_codecs_count_in_dimensions_that_have_prices() -> None:
    assert {dimension.value for dimension in pricing.Dimension} >= set(canonical.DIMENSIONS)
