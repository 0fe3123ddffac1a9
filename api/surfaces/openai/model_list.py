"""Models as OpenAI's clients know them, with what operators may see of them besides."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import money
from gateway.catalog import Offer
from gateway.relay import Place

OWNER = "sluice"


def listed(
    offers: Sequence[Offer], places: Mapping[str, Sequence[Place]] | None = None
) -> dict[str, Any]:
    """``places``: by model, where it is served; None for callers who may not know."""
    data = [described(offer) for offer in offers]
    if places is not None:
        data = [
            {**model, "fastapi": _served(offer, places[offer.slug])}
            for model, offer in zip(data, offers, strict=True)
        ]
    return {"object": "list", "data": data}


def described(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.slug,
        "object": "model",
        "created": offer.created,
        "owned_by": OWNER,
        "display_name": offer.name or offer.slug,
        "context_window": offer.context_window,
        "max_output_tokens": offer.max_output_tokens,
    }


def _served(offer: Offer, places: Sequence[Place]) -> dict[str, Any]:
    """Prices are US dollars per million units, as they stand in a configuration file."""
    first = places[0] if places else None
    return {
        "model": offer.slug,
        "type": offer.type,
        "base_url": first.base_url if first else "",
        "path": first.path if first else "",
        "base_urls": [
            {
                "backend": place.backend,
                "base_url": place.base_url,
                "path": place.path,
                "region": place.region,
            }
            for place in places
        ],
        "prices": {
            f"{dimension}:{variant}" if variant else dimension: money.format_usd(nanos)
            for (dimension, variant), nanos in sorted(offer.prices.items())
        },
    }
