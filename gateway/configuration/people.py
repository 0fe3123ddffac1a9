"""Importing who calls and who pays: users, their apps and their API keys."""

from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from gateway import crypto, ids
from gateway.configuration import document, rows
from gateway.configuration.changes import Changes, CreatedKey, Outcome
from gateway.configuration.problems import ConfigurationError
from gateway.configuration.secrets import Secrets
from gateway.db import ReadSession, Session
from models import ApiKey, App, Policy, Role, Status, User, UserStatus

DEFAULT_POLICY = "default"
KEY_PREFIX = "sk"
FIRST_NUMBER = 10_000
NUMBER_ATTEMPTS = 20
Numbered = TypeVar("Numbered", User, App)
ALLOWANCE = ("limit_nanos", "expires_at")


def import_user(
    session: Session, changes: Changes, secrets: Secrets, part: document.User, path: str
) -> User:
    row = _find_user(session, part)
    values = rows.given(
        part,
        *("number", "email", "account", "name", "phone", "avatar_url", "department"),
        *("role", "status", "password_hash", "expires_at"),
    )
    values |= rows.given_nanos(part, ("limit",))
    values |= _policy(session, row, part, path)
    values |= _password(secrets, row, part, path)
    if row is None:
        defaults = {"role": Role.USER, "status": UserStatus.ACTIVE}
        row = create_numbered(session, User, {**defaults, **values})
        outcome = Outcome.CREATED
        changes.users.add(row.id)
    else:
        outcome = update_payer(changes, row, values, row.id)
    changes.record("user", part.label, outcome)
    for app in part.apps:
        _import_app(session, changes, row, app)
    for number, key in enumerate(part.keys):
        import_key(session, changes, secrets, row, (key, f"{path}.keys[{number}]"))
    return row


def _find_user(session: ReadSession, part: document.User) -> User | None:
    if isinstance(part.email, str):
        return rows.find(session, User, email=part.email)
    return rows.find(session, User, account=part.account)


def _policy(
    session: ReadSession, row: User | None, part: document.User, path: str
) -> dict[str, str]:
    if isinstance(part.policy, UnsetType) and row is not None:
        return {}
    name = DEFAULT_POLICY if isinstance(part.policy, UnsetType) else part.policy
    policy = rows.find(session, Policy, name=name)
    if policy is None:
        msg = f"{path}.policy: there is no policy {name!r}"
        raise ConfigurationError(msg)
    return {"policy_id": policy.id}


def _password(secrets: Secrets, row: User | None, part: document.User, path: str) -> dict[str, str]:
    """Hashes differ every time, so an unchanged password is found by verifying it."""
    if isinstance(part.password, UnsetType):
        return {}
    plain = secrets.read(part.password, f"{path}.password")
    if row is not None and row.password_hash and crypto.verify_password(plain, row.password_hash):
        return {}
    return {"password_hash": crypto.hash_password(plain)}


def _import_app(session: Session, changes: Changes, user: User, part: document.App) -> None:
    values = rows.given(part, "number", "models", "ip_allow", "ip_deny", "expires_at")
    values |= rows.given_nanos(part, ("limit",))
    values |= _status(enabled=part.enabled)
    row = rows.find(session, App, user_id=user.id, name=part.name)
    if row is None:
        values = {"status": Status.ACTIVE, "user_id": user.id, "name": part.name, **values}
        create_numbered(session, App, values)
        outcome = Outcome.CREATED
        changes.allowances.add(user.id)
    else:
        outcome = update_payer(changes, row, values, user.id)
    changes.record("app", f"{label_of(user)}/{part.name}", outcome)


def import_key(
    session: Session,
    changes: Changes,
    secrets: Secrets,
    user: User,
    placed: tuple[document.ApiKey, str],
) -> ApiKey:
    part, path = placed
    values = rows.given(
        part, "models", "ip_allow", "ip_deny", "disconnect_policy", "valid_until", "expires_at"
    )
    values |= rows.given_nanos(part, ("limit",))
    values |= _status(enabled=part.enabled)
    values |= _app(session, user, part, path)
    row = rows.find(session, ApiKey, user_id=user.id, name=part.name)
    values |= _key(session, secrets, row, part, path)
    if row is None:
        row = _create_key(session, changes, secrets, user, {**values, "name": part.name})
        outcome = Outcome.CREATED
    else:
        outcome = update_payer(changes, row, values, user.id)
    changes.record("API key", f"{label_of(user)}/{part.name}", outcome)
    return row


def _create_key(
    session: Session, changes: Changes, secrets: Secrets, user: User, values: dict[str, Any]
) -> ApiKey:
    generated = None
    if "key_hash" not in values:
        generated = ids.new_secret(KEY_PREFIX)
        values |= secrets.api_key_columns(generated, "key")
    row = rows.create(session, ApiKey, {"status": Status.ACTIVE, "user_id": user.id, **values})
    if generated is not None:
        changes.keys.append(CreatedKey(row.id, label_of(user), row.name, generated))
    changes.allowances.add(user.id)
    return row


def _key(
    session: ReadSession, secrets: Secrets, row: ApiKey | None, part: document.ApiKey, path: str
) -> dict[str, str]:
    if isinstance(part.key, UnsetType):
        return {}
    plain = secrets.read(part.key, f"{path}.key")
    same = rows.find(session, ApiKey, key_hash=crypto.hash_key(plain))
    if same is not None and same is row:
        return {}
    if same is not None:
        msg = f"{path}.key: this key already exists under the name {same.name!r}"
        raise ConfigurationError(msg)
    return secrets.api_key_columns(plain, f"{path}.key")


def _app(
    session: ReadSession, user: User, part: document.ApiKey, path: str
) -> dict[str, str | None]:
    if part.app is UNSET:
        return {}
    if part.app is None:
        return {"app_id": None}
    app = rows.find(session, App, user_id=user.id, name=part.app)
    if app is None:
        msg = f"{path}.app: {label_of(user)} has no app {part.app!r}"
        raise ConfigurationError(msg)
    return {"app_id": app.id}


def _status(*, enabled: bool | UnsetType) -> dict[str, str]:
    if isinstance(enabled, UnsetType):
        return {}
    return {"status": Status.ACTIVE if enabled else Status.DISABLED}


def update_payer(
    changes: Changes, row: User | App | ApiKey, values: dict[str, Any], user_id: str
) -> Outcome:
    """Set what differs; a new limit or expiry moves the user's allowance."""
    before = [getattr(row, name) for name in ALLOWANCE]
    outcome = rows.update(row, values)
    if outcome is not Outcome.UNCHANGED:
        changes.users.add(user_id)
    if before != [getattr(row, name) for name in ALLOWANCE]:
        changes.allowances.add(user_id)
    return outcome


def create_numbered(session: Session, table: type[User] | type[App], values: dict[str, Any]) -> Any:  # noqa: ANN401
    """Give the next number; another process may take it first, then the one after."""
    if "number" in values:
        return rows.create(session, table, values)
    for attempt in range(NUMBER_ATTEMPTS):
        try:
            with session.begin_nested():
                return rows.create(session, table, {**values, "number": _next(session, table)})
        except IntegrityError:
            if attempt + 1 == NUMBER_ATTEMPTS:
                raise
    raise AssertionError


def _next(session: ReadSession, table: type[User] | type[App]) -> int:
    newest = session.execute(select(func.max(table.number))).scalar_one()
    return max(FIRST_NUMBER, (newest or 0) + 1)


def label_of(user: User) -> str:
    return user.email or user.account or str(user.number)
