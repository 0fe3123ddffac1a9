"""Writing down users, their apps and their API keys."""

from typing import Any

from msgspec import UNSET
from sqlalchemy import select

from gateway.configuration import document
from gateway.configuration.written import by_owner, fields, usd
from gateway.crypto import Sealer
from gateway.db import ReadSession
from models import ApiKey, App, Policy, Status, User

USER = ("number", "name", "phone", "avatar_url", "department", "role", "status", "expires_at")
APP = ("name", "number", "models", "ip_allow", "ip_deny", "expires_at")
API_KEY = (
    *("name", "models", "ip_allow", "ip_deny", "disconnect_policy", "valid_until", "expires_at"),
)


class PeopleExport:
    """Reads all users once; without ``opener`` keys and password hashes stay out."""

    def __init__(self, session: ReadSession, opener: Sealer | None) -> None:
        self._session = session
        self._opener = opener

    def users(self) -> list[document.User]:
        policies = dict(self._session.execute(select(Policy.id, Policy.name)).all())
        apps = self._session.scalars(select(App).order_by(App.number)).all()
        keys = self._session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)).all()
        apps_of, keys_of = by_owner(apps, "user_id"), by_owner(keys, "user_id")
        app_names = {app.id: app.name for app in apps}
        return [
            document.User(
                **self._identity(row),
                **fields(row, *USER),
                limit_usd=usd(row.limit_nanos),
                policy=policies[row.policy_id],
                apps=[self._app(app) for app in apps_of.get(row.id, ())],
                keys=[self._key(key, app_names) for key in keys_of.get(row.id, ())],
            )
            for row in self._session.scalars(select(User).order_by(User.number))
        ]

    def _identity(self, row: User) -> dict[str, Any]:
        present = {"email": row.email, "account": row.account}
        if self._opener and row.password_hash:
            present["password_hash"] = row.password_hash
        return {name: value for name, value in present.items() if value is not None}

    def _app(self, row: App) -> document.App:
        return document.App(
            **fields(row, *APP),
            limit_usd=usd(row.limit_nanos),
            enabled=row.status == Status.ACTIVE,
        )

    def _key(self, row: ApiKey, app_names: dict[str, str]) -> document.ApiKey:
        return document.ApiKey(
            **fields(row, *API_KEY),
            key=self._opener.open(row.key_sealed) if self._opener else UNSET,
            app=app_names.get(row.app_id or ""),
            limit_usd=usd(row.limit_nanos),
            enabled=row.status == Status.ACTIVE,
        )
