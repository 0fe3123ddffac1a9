"""Prices of well-known models, from the data that the genai-prices package brings along.

Only the bundled data is read; nothing is fetched. Where a vendor's price rises with the
length of the prompt or falls at night, one flat price has to do: the price of a short
prompt, at the dear time of day.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import genai_prices
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

SOURCE = f"genai-prices {genai_prices.__version__}"

# The package's name of a price → our dimension, and what turns one into the other.
DIMENSIONS: dict[str, tuple[str, int, int]] = {
    "input_mtok": ("input", 1, 1),
    "cache_read_mtok": ("cached_input", 1, 1),
    "cache_write_mtok": ("cache_write", 1, 1),
    "output_mtok": ("output", 1, 1),
    "output_reasoning_mtok": ("reasoning", 1, 1),
    "input_audio_mtok": ("audio_input", 1, 1),
    "output_audio_mtok": ("audio_output", 1, 1),
    "input_mchars": ("character", 1, 1),
    "audio_hours": ("second", 1_000_000, 3600),
    "requests_kcount": ("call", 1000, 1),
}


@dataclass(frozen=True, slots=True)
class KnownPrices:
    """US dollars per million units of each dimension."""

    model: str
    source: str
    usd_per_million: dict[str, Decimal]


def find_prices(names: Sequence[str], vendor: str, today: dt.date) -> KnownPrices | None:
    """The first of ``names`` that the package knows, preferably at ``vendor``."""
    snapshot = get_snapshot()
    for name in names:
        for model in _candidates(snapshot, name, vendor):
            prices = _flat(_in_force(model, today))
            if prices:
                return KnownPrices(model.id, SOURCE, prices)
    return None


def _candidates(snapshot: DataSnapshot, name: str, vendor: str) -> Iterator[ModelInfo]:
    """The vendor's model, else the one the name itself points to, else any of that very name."""
    for provider_id in [vendor, None] if vendor else [None]:
        try:
            yield snapshot.find_provider_model(name, None, provider_id, None)[1]
        except LookupError:
            continue
    for provider in snapshot.providers:
        yield from (model for model in provider.models if model.id == name.lower())


def _in_force(model: ModelInfo, today: dt.date) -> ModelPrice:
    """The latest prices; of those that change with the hour, the dear ones."""
    if isinstance(model.prices, ModelPrice):
        return model.prices
    started = [
        price
        for price in model.prices
        if not isinstance(price.constraint, StartDateConstraint)
        or price.constraint.start_date <= today
    ]
    hourly = any(isinstance(price.constraint, TimeOfDateConstraint) for price in started)
    if hourly:
        return max((price.prices for price in started), key=_dearness)
    return (started or model.prices)[-1].prices


def _dearness(prices: ModelPrice) -> Decimal:
    return sum(_flat(prices).values(), Decimal(0))


def _flat(prices: ModelPrice) -> dict[str, Decimal]:
    found = {}
    for key, (dimension, times, per) in DIMENSIONS.items():
        price = getattr(prices, key)
        if isinstance(price, TieredPrices):
            price = price.base
        if price is not None:
            found[dimension] = price * times / per
    return found
