"""Models and what serves them, as routing sees them."""

from typing import Any

from gateway.catalog import Catalog, Offer, Target


def target_of(name: str, **fields: Any) -> Target:  # noqa: ANN401
    given: dict[str, Any] = {
        "link_id": name,
        "weight": 1,
        "region": "",
        "provider_key_id": "k",
        "upstream_model": "m",
        **fields,
    }
    return Target(
        backend_id=name,
        backend_slug=name,
        adapter="openai",
        auth_style="bearer",
        base_url="",
        path_templates={},
        api_version=None,
        headers={},
        slots=0,
        limits={},
        **given,
    )


def offer_of(*targets: Target, slug: str = "m", **fields: Any) -> Offer:  # noqa: ANN401
    given: dict[str, Any] = {"load_balancing": "weighted", **fields}
    return Offer(
        model_id=slug,
        slug=slug,
        type="chat",
        created=0,
        context_window=None,
        max_output_tokens=None,
        parameters={},
        headers={},
        output_field="max_tokens",
        limits={},
        disconnect_policy=None,
        price_version_id=None,
        prices={},
        is_sellable=True,
        targets=targets,
        **given,
    )


def catalog_of(*offers: Offer, aliases: dict[str, str] | None = None) -> Catalog:
    return Catalog(1, {offer.slug: offer for offer in offers}, aliases or {})
