"""The SQL that reads the whole catalog in one snapshot."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from gateway import log, pricing
from gateway.catalog.views import Catalog, Offer, Target
from gateway.crypto import UnreadableSecretError
from gateway.db import CATALOG, ReadSession
from gateway.db.revisions import get_revision
from models import (
    AIModel,
    Backend,
    BackendModel,
    CostMultiplier,
    PriceRow,
    PriceVersion,
    Provider,
    ProviderKey,
    ProviderKeyBackend,
    Status,
)

Prices = dict[tuple[str, str], int]
KEYLESS = "none"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Keys:
    """Active provider keys, by the backends they are tied to and by their provider."""

    tied: Mapping[str, list[ProviderKey]]
    free: Mapping[str, list[ProviderKey]]

    def of(self, backend: Backend) -> list[ProviderKey]:
        return self.tied.get(backend.id, []) + self.free.get(backend.provider_id, [])


def load_catalog(session: ReadSession, open_secret: Callable[[str], str]) -> Catalog:
    """Every enabled model with what serves it; ``open_secret`` unseals provider keys."""
    revision = get_revision(session, CATALOG)
    targets = _targets(session, open_secret)
    prices = _prices(session)
    models = session.scalars(select(AIModel).where(AIModel.enabled)).all()
    offers = {
        model.slug: _offer(model, targets.get(model.id, []), *prices.get(model.id, (None, {})))
        for model in models
    }
    aliases = {alias: model.slug for model in models for alias in model.aliases}
    return Catalog(revision, offers, aliases)


def _offer(
    model: AIModel, targets: list[Target], price_version_id: str | None, prices: Prices
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
        targets=tuple(targets),
        is_sellable=price_version_id is not None and pricing.is_sellable(model.type, prices),
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


def _targets(session: ReadSession, open_secret: Callable[[str], str]) -> dict[str, list[Target]]:
    keys = _keys(session)
    factors = {
        (row.scope, row.scope_id): row.factor_millionths
        for row in session.scalars(select(CostMultiplier))
    }
    secrets: dict[str, str | None] = {}
    rows = session.execute(
        select(BackendModel, AIModel.slug, Backend, Provider)
        .join(AIModel, AIModel.id == BackendModel.model_id)
        .join(Backend, Backend.id == BackendModel.backend_id)
        .join(Provider, Provider.id == Backend.provider_id)
        .where(BackendModel.enabled, Backend.enabled, Provider.enabled)
        .order_by(BackendModel.priority.desc(), BackendModel.id)
    ).all()
    targets: defaultdict[str, list[Target]] = defaultdict(list)
    for link, slug, backend, provider in rows:
        target = _keyless(link, slug, backend, provider)
        factor = _factor(factors, provider, backend, None)
        if provider.auth_style == KEYLESS:
            targets[link.model_id].append(replace(target, cost_factor_millionths=factor))
            continue
        for key in keys.of(backend):
            if key.id not in secrets:
                secrets[key.id] = _opened(key, open_secret)
            if (secret := secrets[key.id]) is not None:
                factor = _factor(factors, provider, backend, key)
                targets[link.model_id].append(_under_key(target, key, secret, factor))
    return targets


def _keyless(link: BackendModel, slug: str, backend: Backend, provider: Provider) -> Target:
    return Target(
        link_id=link.id,
        backend_id=backend.id,
        backend_slug=backend.slug,
        adapter=provider.adapter,
        auth_style=provider.auth_style,
        base_url=backend.base_url.rstrip("/"),
        path_templates=provider.path_templates,
        api_version=provider.api_version,
        headers=provider.headers,
        upstream_model=link.upstream_model or slug,
        region=backend.region,
        weight=link.weight * backend.weight,
        slots=backend.max_concurrency,
        limits=backend.limits,
    )


def _under_key(target: Target, key: ProviderKey, secret: str, factor: int) -> Target:
    return replace(
        target,
        provider_key_id=key.id,
        key_weight=key.weight,
        secret=secret,
        cost_factor_millionths=factor,
    )


def _opened(key: ProviderKey, open_secret: Callable[[str], str]) -> str | None:
    """One key that was sealed with another secret must not take the others with it."""
    try:
        return open_secret(key.secret_sealed)
    except UnreadableSecretError:
        _log.error("provider_key_unreadable", provider_key_id=key.id, name=key.name)
        return None


def _factor(
    factors: Mapping[tuple[str, str], int],
    provider: Provider,
    backend: Backend,
    key: ProviderKey | None,
) -> int:
    """The most specific multiplier wins: key, then backend, then provider."""
    scopes = [("provider_key", key.id if key else ""), ("backend", backend.id)]
    scopes.append(("provider", provider.id))
    return next((factors[scope] for scope in scopes if scope in factors), 1_000_000)


def _keys(session: ReadSession) -> _Keys:
    active = session.scalars(
        select(ProviderKey)
        .where(ProviderKey.status == Status.ACTIVE, ProviderKey.weight > 0)
        .order_by(ProviderKey.id)
    ).all()
    ties: defaultdict[str, list[str]] = defaultdict(list)
    for tie in session.scalars(select(ProviderKeyBackend)):
        ties[tie.provider_key_id].append(tie.backend_id)
    tied: defaultdict[str, list[ProviderKey]] = defaultdict(list)
    free: defaultdict[str, list[ProviderKey]] = defaultdict(list)
    for key in active:
        for backend_id in ties.get(key.id, ()):
            tied[backend_id].append(key)
        if key.id not in ties:
            free[key.provider_id].append(key)
    return _Keys(tied, free)
