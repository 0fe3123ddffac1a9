"""API keys one at a time: creating, showing, revoking and enabling them."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import or_, select

from gateway import crypto
from gateway.configuration import accounts, document, people, rows
from gateway.configuration.changes import Changes, CreatedKey
from gateway.configuration.problems import ConfigurationError
from gateway.configuration.secrets import Secrets
from gateway.crypto import Sealer
from gateway.db import ReadSession, Session
from models import ApiKey, App, Status, User


@dataclass(frozen=True, slots=True)
class KeyView:
    id: str
    user: str
    app: str | None
    name: str
    key: str  # masked
    status: str
    models: list[str] | None
    limit_nanos: int | None
    used_nanos: int
    valid_until: dt.datetime | None
    last_used_at: dt.datetime | None
    created_at: dt.datetime


def list_keys(session: ReadSession, user: str | None = None) -> list[KeyView]:
    """All keys, or those of one user; newest first."""
    query = (
        select(ApiKey, User, App.name)
        .join(User, User.id == ApiKey.user_id)
        .outerjoin(App, App.id == ApiKey.app_id)
        .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    )
    if user is not None:
        query = query.where(ApiKey.user_id == accounts.get_user(session, user).id)
    return [_view(*row) for row in session.execute(query)]


def get_view(session: ReadSession, reference: str) -> KeyView:
    key = get_key(session, reference)
    row = session.execute(
        select(User, App.name).outerjoin(App, App.id == key.app_id).where(User.id == key.user_id)
    ).one()
    return _view(key, *row)


def _view(key: ApiKey, user: User, app: str | None) -> KeyView:
    return KeyView(
        id=key.id,
        user=people.label_of(user),
        app=app,
        name=key.name,
        key=f"{key.key_prefix}…",
        status=key.status,
        models=key.models,
        limit_nanos=key.limit_nanos,
        used_nanos=key.used_nanos,
        valid_until=key.valid_until,
        last_used_at=key.last_used_at,
        created_at=key.created_at,
    )


def get_key(session: ReadSession, reference: str) -> ApiKey:
    """By id, by the beginning that lists show, by name, or by the key itself."""
    named = [
        ApiKey.name == reference,
        ApiKey.key_prefix == reference.rstrip("…"),
        ApiKey.key_hash == crypto.hash_key(reference),
    ]
    if _is_uuid(reference):
        named.append(ApiKey.id == reference)
    found = session.scalars(select(ApiKey).where(or_(*named)).limit(2)).all()
    if not found:
        msg = f"there is no API key {reference!r}"
        raise ConfigurationError(msg)
    if len(found) > 1:
        msg = f"several API keys are called {reference!r}; use the id that `sluice keys list` shows"
        raise ConfigurationError(msg)
    return found[0]


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def create_key(session: Session, sealer: Sealer, user: str, part: document.ApiKey) -> CreatedKey:
    """A new key of this user, in plain text this once."""
    owner = accounts.get_user(session, user, lock=True)
    if rows.find(session, ApiKey, user_id=owner.id, name=part.name) is not None:
        msg = f"{user} has a key {part.name!r} already"
        raise ConfigurationError(msg)
    changes = Changes()
    people.import_key(session, changes, Secrets(sealer, {}), owner, (part, "key"))
    changes.mark(session, "API key created")
    return changes.keys[0]


def set_key_enabled(session: Session, reference: str, *, enabled: bool) -> bool:
    """Revoke a key or bring it back; False if it was so already."""
    key = get_key(session, reference)
    status = Status.ACTIVE if enabled else Status.DISABLED
    if key.status == status:
        return False
    changes = Changes()
    people.update_payer(changes, key, {"status": status}, key.user_id)
    changes.mark(session, "API key")
    return True


def reveal(session: ReadSession, sealer: Sealer, reference: str) -> str:
    """The whole key, for its owner."""
    return sealer.open(get_key(session, reference).key_sealed)
