"""The SQL that reads the whole catalog in one snapshot."""

from collections.abc import Callable

from sqlalchemy import func, select

from gateway import pricing
from gateway.catalog.targets import Upstreams
from gateway.catalog.views import Catalog, Offer
from gateway.db import CATALOG, ReadSession
from gateway.db.revisions import get_revision
from models import AIModel, PriceRow, PriceVersion

Prices = dict[tuple[str, str], int]


def load_catalog(session: ReadSession, open_secret: Callable[[str], str]) -> Catalog:
    """Every enabled model with what serves it; ``open_secret`` unseals provider keys."""
    revision = get_revision(session, CATALOG)
    upstreams = Upstreams(session, open_secret)
    prices = _prices(session)
    models = session.scalars(select(AIModel).where(AIModel.enabled)).all()
    offers = {
        model.slug: _offer(model, upstreams, *prices.get(model.id, (None, {}))) for model in models
    }
    aliases = {alias: model.slug for model in models for alias in model.aliases}
    return Catalog(revision, offers, aliases)


def _offer(
    model: AIModel, upstreams: Upstreams, price_version_id: str | None, prices: Prices
) -> Offer:
    return Offer(
        model_id=model.id,
        slug=model.slug,
        type=model.type,
        created=int(model.created_at.timestamp()),
        load_balancing=model.load_balancing,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        parameters={k: v for k, v in model.parameters.items() if not _is_header(k)},
        headers={_header(k): str(v) for k, v in model.parameters.items() if _is_header(k)},
        output_field=model.capabilities.get("output_field", "max_tokens"),
        limits=model.limits,
        disconnect_policy=model.disconnect_policy,
        price_version_id=price_version_id,
        prices=prices,
        targets=upstreams.targets(model),
        is_sellable=price_version_id is not None and pricing.is_sellable(model.type, prices),
        name=model.name,
        aliases=tuple(model.aliases),
        capabilities=model.capabilities,
        forward=model.forward,
        fallback=model.fallback,
        fallback_targets=upstreams.fallback_targets(model),
    )


def _is_header(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _header(name: str) -> str:
    """``__user_agent__`` → ``user-agent``, ``__header_x_source__`` → ``x-source``."""
    return name.strip("_").removeprefix("header_").replace("_", "-")


def _prices(session: ReadSession) -> dict[str, tuple[str, Prices]]:
    newest = (
        select(PriceVersion.model_id, func.max(PriceVersion.version).label("version"))
        .group_by(PriceVersion.model_id)
        .subquery()
    )
    rows = session.execute(
        select(PriceVersion.model_id, PriceVersion.id, PriceRow)
        .join(
            newest,
            (newest.c.model_id == PriceVersion.model_id)
            & (newest.c.version == PriceVersion.version),
        )
        .outerjoin(PriceRow, PriceRow.price_version_id == PriceVersion.id)
    ).all()
    found: dict[str, tuple[str, Prices]] = {}
    for model_id, version_id, row in rows:
        _, prices = found.setdefault(model_id, (version_id, {}))
        if row is not None:
            prices[row.dimension, row.variant] = row.nanos_per_million
    return found
