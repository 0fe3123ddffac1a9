"""Models one at a time: what is sold, at which price, and switching it on and off."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from gateway.configuration import document, offers, prices, rows
from gateway.configuration.changes import Changes, Outcome
from gateway.configuration.problems import ConfigurationError
from gateway.db import ReadSession, Session
from models import AIModel, BackendModel


@dataclass(frozen=True, slots=True)
class ModelView:
    slug: str
    type: str
    enabled: bool
    aliases: list[str]
    backends: int
    price_version: int | None
    price_source: str | None
    usd_per_million: dict[str, Decimal]


def list_models(session: ReadSession) -> list[ModelView]:
    counts = dict(
        session.execute(
            select(BackendModel.model_id, func.count())
            .where(BackendModel.enabled)
            .group_by(BackendModel.model_id)
        ).all()
    )
    models = session.scalars(select(AIModel).order_by(AIModel.slug)).all()
    return [_view(session, model, counts.get(model.id, 0)) for model in models]


def _view(session: ReadSession, model: AIModel, backends: int) -> ModelView:
    version = prices.find_version(session, model.id)
    return ModelView(
        slug=model.slug,
        type=model.type,
        enabled=model.enabled,
        aliases=model.aliases,
        backends=backends,
        price_version=version.version if version else None,
        price_source=version.source if version else None,
        usd_per_million=prices.usd_from_rows(prices.list_rows(session, version)),
    )


def get_view(session: ReadSession, slug: str) -> ModelView:
    model = get_model(session, slug)
    backends = session.execute(
        select(func.count()).where(BackendModel.model_id == model.id, BackendModel.enabled)
    ).scalar_one()
    return _view(session, model, backends)


def get_model(session: ReadSession, slug: str) -> AIModel:
    model = rows.find(session, AIModel, slug=slug)
    if model is None:
        msg = f"there is no model {slug!r}"
        raise ConfigurationError(msg)
    return model


def set_enabled(session: Session, slug: str, *, enabled: bool) -> bool:
    """False if it was so already."""
    outcome = rows.update(get_model(session, slug), {"enabled": enabled})
    return _mark(session, outcome is not Outcome.UNCHANGED)


def set_prices(session: Session, slug: str, usd_per_million: Mapping[str, Decimal]) -> bool:
    """Put these prices in force, all others end; False if they are in force already."""
    model = get_model(session, slug)
    try:
        for dimension, amount in usd_per_million.items():
            document.check_price(dimension, amount)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    wanted = prices.rows_from_usd(usd_per_million)
    return _mark(session, prices.set_prices(session, model.id, wanted))


def set_known_prices(session: Session, slug: str) -> bool:
    """The vendor's list price."""
    model = get_model(session, slug)
    found = offers.find_known_prices(session, model)
    if found is None:
        msg = f"no price of {slug!r} is known; name the prices, for example input=2.50 output=10"
        raise ConfigurationError(msg)
    wanted = prices.rows_from_usd(found.usd_per_million)
    return _mark(session, prices.set_prices(session, model.id, wanted, found.source))


def _mark(session: Session, changed: bool) -> bool:  # noqa: FBT001 - the one fact
    changes = Changes(catalog=changed)
    changes.mark(session, "model")
    return changed
