"""The first start: an administrator, a key that works, and models to call.

Every later start finds them again; what an operator has changed meanwhile is kept, but
for what follows the environment: addresses and secrets of the upstreams it names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
from sqlalchemy import select

from gateway import clock, crypto, ids
from gateway.configuration import accounts, api_keys, document, people, rows, starting
from gateway.configuration.apply import apply
from gateway.configuration.document import Document
from gateway.configuration.problems import ConfigurationError
from gateway.configuration.starting import needs_simulator
from gateway.crypto import Sealer
from gateway.db import Database, ReadSession, Session
from models import AIModel, ApiKey, Policy, Provider, Role, User

__all__ = ["Quickstart", "ensure", "needs_simulator"]

EMAIL_VARIABLE = "SLUICE_ADMIN_EMAIL"
PASSWORD_VARIABLE = "SLUICE_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable
ADMIN_EMAIL = "admin@sluice.local"
DEMO_EMAIL = "demo@sluice.local"
KEY_NAME = "quickstart"
KEY_LIMIT_USD = Decimal(5)


@dataclass(frozen=True, slots=True)
class Quickstart:
    """What a newcomer needs; the password is None once only its hash is left."""

    api_key: str = field(repr=False)
    model: str
    admin_email: str
    admin_password: str | None = field(repr=False)


def ensure(
    database: Database,
    sealer: Sealer,
    environment: Mapping[str, str],
    simulator_url: str | None,
    kept_password: str | None = None,
) -> Quickstart:
    """Make what is missing; ``kept_password`` is what the first start was told."""
    plan = starting.plan(environment, simulator_url, clock.now().date())
    password = environment.get(PASSWORD_VARIABLE) or kept_password
    with database.transaction() as session:
        _ensure_policy(session, sealer)
        email, password = _ensure_admin(session, sealer, environment, password)
        apply(session, sealer, _what_follows(session, plan.document), environment)
        _switch_demo(session, sealer, on=simulator_url is not None)
        return Quickstart(_ensure_key(session, sealer), plan.model, email, password)


def _ensure_policy(session: Session, sealer: Sealer) -> None:
    name = people.DEFAULT_POLICY
    if rows.find(session, Policy, name=name) is None:
        policy = document.Policy(name=name, description="Every model, no limits of its own.")
        apply(session, sealer, Document(policies=[policy]), {})


def _ensure_admin(
    session: Session, sealer: Sealer, environment: Mapping[str, str], password: str | None
) -> tuple[str, str | None]:
    """The administrator's name, and the password if it is known and still right."""
    admin = _find_admin(session, environment)
    if admin is None:
        part = _new_admin(environment, password or ids.new_secret("admin"))
        accounts.create_user(session, sealer, part)
        return part.label, str(part.password)
    matches = password and admin.password_hash
    if matches and crypto.verify_password(password or "", admin.password_hash or ""):
        return people.label_of(admin), password
    return people.label_of(admin), None


def _find_admin(session: ReadSession, environment: Mapping[str, str]) -> User | None:
    """The one the environment names, else the first."""
    admins = session.scalars(
        select(User).where(User.role == Role.ADMIN).order_by(User.number)
    ).all()
    named = [admin for admin in admins if admin.email == environment.get(EMAIL_VARIABLE)]
    return next(iter([*named, *admins]), None)


def _new_admin(environment: Mapping[str, str], password: str) -> document.User:
    raw = {
        "email": environment.get(EMAIL_VARIABLE) or ADMIN_EMAIL,
        "name": "Administrator",
        "role": Role.ADMIN,
        "password": password,
    }
    try:
        return msgspec.convert(raw, document.User)
    except msgspec.ValidationError as error:
        msg = f"{EMAIL_VARIABLE} or {PASSWORD_VARIABLE} cannot be used: {error}"
        raise ConfigurationError(msg) from error


def _what_follows(session: ReadSession, planned: Document) -> Document:
    """Of what exists already only what follows the environment."""
    providers = set(session.scalars(select(Provider.code)))
    models = set(session.scalars(select(AIModel.slug)))
    return Document(
        providers=[
            _essence(provider) if provider.code in providers else provider
            for provider in planned.providers
        ],
        models=[model for model in planned.models if model.slug not in models],
    )


def _essence(provider: document.Provider) -> document.Provider:
    return document.Provider(
        code=provider.code,
        adapter=provider.adapter,
        auth_style=provider.auth_style,
        backends=[
            document.Backend(slug=backend.slug, base_url=backend.base_url)
            for backend in provider.backends
        ],
        keys=provider.keys,
    )


def _switch_demo(session: Session, sealer: Sealer, *, on: bool) -> None:
    """The demo is only offered while its simulator runs."""
    demo = starting.get_demo()
    if rows.find(session, Provider, code=demo.providers[0].code) is None:
        return
    providers = [document.Provider(code=part.code, enabled=on) for part in demo.providers]
    models = [document.Model(slug=part.slug, enabled=on) for part in demo.models]
    apply(session, sealer, Document(providers=providers, models=models), {})


def _ensure_key(session: Session, sealer: Sealer) -> str:
    """The demo user's key, which can spend a little and no more."""
    demo = rows.find(session, User, email=DEMO_EMAIL)
    if demo is None:
        part = document.User(email=DEMO_EMAIL, name="Quickstart", limit_usd=KEY_LIMIT_USD)
        accounts.create_user(session, sealer, part)
        demo = accounts.get_user(session, DEMO_EMAIL)
    key = rows.find(session, ApiKey, user_id=demo.id, name=KEY_NAME)
    if key is None:
        part_of_key = document.ApiKey(name=KEY_NAME)
        return api_keys.create_key(session, sealer, DEMO_EMAIL, part_of_key).key
    return _open(sealer, key)


def _open(sealer: Sealer, key: ApiKey) -> str:
    try:
        return sealer.open(key.key_sealed)
    except crypto.UnreadableSecretError as error:
        msg = (
            "the secrets in the database were sealed with another key; "
            f"bring back SLUICE_SECRET_KEY or {crypto.KEY_FILE} in the state directory"
        )
        raise ConfigurationError(msg) from error
