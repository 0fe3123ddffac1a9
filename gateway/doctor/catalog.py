"""What is configured: administrators, providers, models, and whether backends can be reached."""

import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from sqlalchemy import func, select

from gateway import pricing
from gateway.db import Database, ReadSession
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings
from models import (
    AIModel,
    Backend,
    BackendModel,
    PriceRow,
    PriceVersion,
    Provider,
    ProviderKey,
    Role,
    Status,
    User,
    UserStatus,
)

KEYLESS = "none"
CONNECT_SECONDS = 2
AT_ONCE = 16


def check_catalog(settings: Settings) -> tuple[list[Finding], list[tuple[str, str]]]:
    """The findings, and (slug, base URL) of the enabled backends."""
    database = Database.connect(settings.resolved_database_url, settings.database, "sluice doctor")
    try:
        with database.snapshot() as session:
            found = [*_administrators(session), *_providers(session), *_models(session)]
            backends = session.execute(
                select(Backend.slug, Backend.base_url)
                .join(Provider, Provider.id == Backend.provider_id)
                .where(Backend.enabled, Provider.enabled)
                .order_by(Backend.slug)
            ).all()
            return found, [(row.slug, row.base_url) for row in backends]
    finally:
        database.close()


def _administrators(session: ReadSession) -> Iterator[Finding]:
    count = session.execute(
        select(func.count()).where(User.role == Role.ADMIN, User.status == UserStatus.ACTIVE)
    ).scalar_one()
    if count:
        yield Finding(Level.OK, "administrators", f"{count} active")
    else:
        advice = "`sluice users create EMAIL --role admin`"
        yield Finding(Level.WARN, "administrators", "there is none who could sign in", advice)


def _providers(session: ReadSession) -> Iterator[Finding]:
    keyed = set(
        session.scalars(select(ProviderKey.provider_id).where(ProviderKey.status == Status.ACTIVE))
    )
    providers = session.scalars(select(Provider).where(Provider.enabled).order_by(Provider.code))
    lacking = [
        provider.code
        for provider in providers
        if provider.auth_style != KEYLESS and provider.id not in keyed
    ]
    if lacking:
        message = f"no active key: {', '.join(lacking)}"
        yield Finding(Level.WARN, "providers", message, "import a key, or disable the provider")
    marked = session.execute(
        select(Provider.code, ProviderKey.name, ProviderKey.status_reason)
        .join(Provider, Provider.id == ProviderKey.provider_id)
        .where(ProviderKey.status == Status.ACTIVE, ProviderKey.status_reason.is_not(None))
        .order_by(Provider.code, ProviderKey.name)
    )
    for code, name, reason in marked:
        subject = f"provider key {code}/{name}"
        yield Finding(Level.WARN, subject, reason or "", "import a new secret")


def _models(session: ReadSession) -> Iterator[Finding]:
    models = session.scalars(select(AIModel).where(AIModel.enabled).order_by(AIModel.slug)).all()
    if not models:
        advice = "import a configuration: `sluice import FILE`"
        yield Finding(Level.WARN, "models", "none is enabled", advice)
        return
    yield Finding(Level.OK, "models", f"{len(models)} enabled")
    prices = _prices(session)
    unpriced = [m.slug for m in models if not pricing.is_sellable(m.type, prices[m.id])]
    if unpriced:
        message = f"cannot be sold without a price: {', '.join(unpriced)}"
        yield Finding(Level.WARN, "models", message, "`sluice models price SLUG input=… output=…`")
    served = set(
        session.scalars(
            select(BackendModel.model_id)
            .join(Backend, Backend.id == BackendModel.backend_id)
            .join(Provider, Provider.id == Backend.provider_id)
            .where(BackendModel.enabled, Backend.enabled, Provider.enabled)
        )
    )
    unserved = [
        model.slug
        for model in models
        if model.id not in served and not model.forward and not model.fallback
    ]
    if unserved:
        message = f"no enabled backend serves {', '.join(unserved)}"
        yield Finding(Level.WARN, "models", message, "link a backend, or disable the model")


def _prices(session: ReadSession) -> defaultdict[str, dict[tuple[str, str], int]]:
    """Of the newest version of each model."""
    newest = (
        select(PriceVersion.model_id, func.max(PriceVersion.version).label("version"))
        .group_by(PriceVersion.model_id)
        .subquery()
    )
    rows = session.execute(
        select(
            PriceVersion.model_id, PriceRow.dimension, PriceRow.variant, PriceRow.nanos_per_million
        )
        .join(PriceRow, PriceRow.price_version_id == PriceVersion.id)
        .join(
            newest,
            (newest.c.model_id == PriceVersion.model_id)
            & (newest.c.version == PriceVersion.version),
        )
    )
    prices: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for model_id, dimension, variant, nanos in rows:
        prices[model_id][dimension, variant] = nanos
    return prices


def check_reachable(backends: Sequence[tuple[str, str]]) -> list[Finding]:
    """A TCP connection to each backend, all at once; nothing is sent."""
    if not backends:
        return []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(pool.map(_find_problem, (url for _, url in backends)))
    found = [
        Finding(Level.WARN, f"backend {slug}", f"{url}: {problem}", "check address and network")
        for (slug, url), problem in zip(backends, problems, strict=True)
        if problem is not None
    ]
    reached = len(backends) - len(found)
    if reached:
        found.insert(0, Finding(Level.OK, "backends", f"{reached} of {len(backends)} reached"))
    return found


def _find_problem(base_url: str) -> str | None:
    try:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None
