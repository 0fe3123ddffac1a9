"""Importing where calls go: providers, their backends and our keys there."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import UNSET, UnsetType
from sqlalchemy import delete, select

from gateway import crypto
from gateway.configuration import document, rows, vendors
from gateway.configuration.changes import Changes, Outcome
from gateway.configuration.problems import ConfigurationError
from gateway.configuration.secrets import Secrets
from gateway.db import ReadSession, Session
from gateway.providers import PROVIDERS
from models import (
    AIModel,
    Backend,
    CostMultiplier,
    Provider,
    ProviderKey,
    ProviderKeyBackend,
    ProviderKeyModel,
    Status,
)


def import_provider(
    session: Session, changes: Changes, part: document.Provider, path: str
) -> Provider:
    """The provider and its backends; keys follow once the models exist."""
    row = rows.find(session, Provider, code=part.code)
    has_keys = bool(part.keys) or (row is not None and _has_keys(session, row))
    part = vendors.complete(part, path, is_new=row is None, has_keys=has_keys)
    values = rows.given(
        part, "name", "adapter", "auth_style", "path_templates", "api_version", "headers", "enabled"
    )
    _check_adapter(row, part, path)
    defaults = {"name": part.code}
    if isinstance(part.adapter, str):
        defaults["auth_style"] = PROVIDERS[part.adapter].auth_style
    row, outcome = rows.save(session, Provider, row, {"code": part.code, **values}, defaults)
    outcome = _with_factor(session, outcome, "provider", row.id, (part.cost_multiplier, path))
    changes.catalog_object("provider", part.code, outcome)
    for number, backend in enumerate(part.backends):
        _import_backend(session, changes, row, backend, f"{path}.backends[{number}]")
    return row


def _has_keys(session: ReadSession, provider: Provider) -> bool:
    keys = select(ProviderKey.id).where(ProviderKey.provider_id == provider.id).limit(1)
    return session.execute(keys).first() is not None


def _check_adapter(row: Provider | None, part: document.Provider, path: str) -> None:
    if row is None and part.adapter is UNSET:
        msg = f"{path}: a new provider needs an adapter, or a vendor that names it"
        raise ConfigurationError(msg)
    if part.adapter is not UNSET and part.adapter not in PROVIDERS:
        msg = f"{path}.adapter: there is no {part.adapter!r}; use {' or '.join(sorted(PROVIDERS))}"
        raise ConfigurationError(msg)


def _import_backend(
    session: Session, changes: Changes, provider: Provider, part: document.Backend, path: str
) -> None:
    values = rows.given(
        part,
        *("name", "base_url", "region", "weight", "max_concurrency", "limits"),
        *("capabilities", "enabled"),
    )
    row = rows.find(session, Backend, slug=part.slug)
    if row is None and part.base_url is UNSET:
        msg = f"{path}: a new backend needs a base_url"
        raise ConfigurationError(msg)
    if row is not None and row.base_url != values.get("base_url", row.base_url):
        # What was learned about the old address says nothing about the new one.
        values |= {"healthy": True, "fail_count": 0, "last_error": None}
    values |= {"slug": part.slug, "provider_id": provider.id}
    row, outcome = rows.save(session, Backend, row, values, {})
    outcome = _with_factor(session, outcome, "backend", row.id, (part.cost_multiplier, path))
    changes.catalog_object("backend", part.slug, outcome)


def import_provider_key(
    session: Session,
    changes: Changes,
    secrets: Secrets,
    provider: Provider,
    placed: tuple[document.ProviderKey, str],
) -> None:
    part, path = placed
    row = rows.find(session, ProviderKey, provider_id=provider.id, name=part.name)
    values = rows.given(part, "weight", "agents_only")
    values |= _secret(secrets, row, part, path)
    if isinstance(part.enabled, bool):
        values |= _status(row, enabled=part.enabled)
    values |= {"provider_id": provider.id, "name": part.name}
    row, outcome = rows.save(session, ProviderKey, row, values, {"status": Status.ACTIVE})
    changed = [
        _tie_backends(session, row, part.backends, path),
        _tie_models(session, row, part.models, path),
    ]
    if outcome is Outcome.UNCHANGED and any(changed):
        outcome = Outcome.UPDATED
    outcome = _with_factor(session, outcome, "provider_key", row.id, (part.cost_multiplier, path))
    changes.catalog_object("provider key", f"{provider.code}/{part.name}", outcome)


def _secret(
    secrets: Secrets, row: ProviderKey | None, part: document.ProviderKey, path: str
) -> dict[str, str]:
    """Sealing is different every time, so only the hash tells whether a secret is new."""
    if isinstance(part.secret, UnsetType):
        if row is None:
            msg = f"{path}: a new provider key needs a secret"
            raise ConfigurationError(msg)
        return {}
    plain = secrets.read(part.secret, f"{path}.secret")
    if row is not None and row.secret_hash == crypto.hash_key(plain):
        return {}
    return secrets.provider_key_columns(plain)


def _status(row: ProviderKey | None, *, enabled: bool) -> dict[str, Any]:
    """A key that was suspended for a reason stays so: it is not disabled."""
    if not enabled:
        return {"status": Status.DISABLED}
    if row is None or row.status == Status.DISABLED:
        return {"status": Status.ACTIVE, "status_reason": None}
    return {}


def _tie_backends(
    session: Session, key: ProviderKey, slugs: list[str] | UnsetType, path: str
) -> bool:
    if isinstance(slugs, UnsetType):
        return False
    wanted = {_id_of(session, Backend, slug, f"{path}.backends") for slug in slugs}
    ties = ProviderKeyBackend
    present = set(
        session.scalars(select(ties.backend_id).where(ties.provider_key_id == key.id)).all()
    )
    session.execute(
        delete(ties).where(ties.provider_key_id == key.id, ties.backend_id.not_in(wanted))
    )
    session.add_all(
        ties(provider_key_id=key.id, backend_id=backend_id) for backend_id in wanted - present
    )
    return wanted != present


def _tie_models(
    session: Session, key: ProviderKey, slugs: list[str] | UnsetType, path: str
) -> bool:
    if isinstance(slugs, UnsetType):
        return False
    wanted = {_id_of(session, AIModel, slug, f"{path}.models") for slug in slugs}
    ties = ProviderKeyModel
    present = set(
        session.scalars(select(ties.model_id).where(ties.provider_key_id == key.id)).all()
    )
    session.execute(
        delete(ties).where(ties.provider_key_id == key.id, ties.model_id.not_in(wanted))
    )
    session.add_all(
        ties(provider_key_id=key.id, model_id=model_id) for model_id in wanted - present
    )
    return wanted != present


def _id_of(session: ReadSession, table: type[Backend] | type[AIModel], slug: str, path: str) -> str:
    found = session.execute(select(table.id).where(table.slug == slug)).scalar_one_or_none()
    if found is None:
        msg = f"{path}: there is no {slug!r}"
        raise ConfigurationError(msg)
    return found


def _with_factor(
    session: Session,
    outcome: Outcome,
    scope: str,
    scope_id: str,
    placed: tuple[Decimal | UnsetType, str],
) -> Outcome:
    """Set what we pay of the list price; part of the object as far as the file goes."""
    multiplier, path = placed
    if isinstance(multiplier, UnsetType):
        return outcome
    factor = rows.factor_millionths(multiplier, path)
    row = rows.find(session, CostMultiplier, scope=scope, scope_id=scope_id)
    values = {"scope": scope, "scope_id": scope_id, "factor_millionths": factor}
    _, done = rows.save(session, CostMultiplier, row, values, {})
    if outcome is Outcome.UNCHANGED and done is not Outcome.UNCHANGED:
        return Outcome.UPDATED
    return outcome


def list_codes(session: ReadSession, backend_ids: Sequence[str]) -> list[str]:
    """The codes of the providers behind these backends, in their order."""
    codes = dict(
        session.execute(
            select(Backend.id, Provider.code).join(Provider, Provider.id == Backend.provider_id)
        ).all()
    )
    return [codes[backend_id] for backend_id in backend_ids]
