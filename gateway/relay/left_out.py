"""What the catalog leaves out, and what operators call what it keeps: for those who ask why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from gateway.catalog import Offer
from gateway.db import ReadSession
from models import AIModel, Backend, BackendModel, PriceVersion, Provider, ProviderKey, Status


@dataclass(frozen=True, slots=True)
class LeftOut:
    backend: str
    provider_key: str | None
    reason: str


def list_left_out(session: ReadSession, offer: Offer) -> list[LeftOut]:
    """The backends and keys of a model that no call is sent to, whatever their health."""
    rows = session.execute(
        select(BackendModel, Backend, Provider)
        .join(Backend, Backend.id == BackendModel.backend_id)
        .join(Provider, Provider.id == Backend.provider_id)
        .where(BackendModel.model_id == offer.model_id)
        .order_by(Backend.slug)
    )
    served = {target.backend_id for target in offer.targets}
    return [
        left for row in rows for left in _left_out(session, *row, is_served=row[1].id in served)
    ]


def _left_out(
    session: ReadSession,
    link: BackendModel,
    backend: Backend,
    provider: Provider,
    *,
    is_served: bool,
) -> Iterator[LeftOut]:
    reasons = {
        "its link to the model is disabled": not link.enabled,
        "the backend is disabled": not backend.enabled,
        f"its provider {provider.code} is disabled": not provider.enabled,
    }
    disabled = [reason for reason, holds in reasons.items() if holds]
    if disabled:
        yield LeftOut(backend.slug, None, "; ".join(disabled))
        return
    if not is_served:
        yield LeftOut(backend.slug, None, "no usable key of ours serves it")
    keys = select(ProviderKey).where(ProviderKey.provider_id == provider.id)
    for key in session.scalars(keys.order_by(ProviderKey.name)):
        if key.status != Status.ACTIVE:
            yield LeftOut(backend.slug, key.name, f"the key is {key.status}")
        elif key.weight <= 0:
            yield LeftOut(backend.slug, key.name, "the weight of the key is 0")


def list_elsewhere(offer: Offer, region: str) -> list[LeftOut]:
    """The backends that a strict region leaves out."""
    regions = {target.backend_slug: target.region for target in offer.targets}
    return [
        LeftOut(slug, None, f"it is in {of or 'no region'}, and only {region} may answer")
        for slug, of in regions.items()
        if of != region
    ]


def names_of_keys(session: ReadSession, key_ids: Iterable[str | None]) -> dict[str | None, str]:
    """The names of provider keys by their ids."""
    wanted = [key_id for key_id in key_ids if key_id is not None]
    rows = session.execute(
        select(ProviderKey.id, ProviderKey.name).where(ProviderKey.id.in_(wanted))
    )
    return {row.id: row.name for row in rows}


def find_price_version(session: ReadSession, version_id: str | None) -> int | None:
    """The number that operators know a price version by."""
    wanted = select(PriceVersion.version).where(PriceVersion.id == version_id)
    return session.execute(wanted).scalar_one_or_none()


def is_disabled(session: ReadSession, name: str) -> bool:
    """Whether there is a model of that name, which is not offered."""
    wanted = select(AIModel.enabled).where(AIModel.slug == name)
    return session.execute(wanted).scalar_one_or_none() is False
