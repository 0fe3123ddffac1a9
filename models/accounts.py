"""Who calls and who pays: users, their apps and API keys, and the policies that limit them."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Allowance, Base, Json, Row


class Role(StrEnum):
    USER = "user"
    MANAGER = "manager"
    ADMIN = "admin"


class UserStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"
    REJECTED = "rejected"


class Status(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class DisconnectPolicy(StrEnum):
    """What happens to the upstream stream when the client leaves."""

    CANCEL = "cancel"
    DRAIN = "drain"


class Policy(Row, Base):
    """A named bundle of limits; null or 0 means unlimited, ``models`` ["*"] means all."""

    __tablename__ = "policies"

    name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    models: Mapped[list[str]] = mapped_column(Json)
    default_model: Mapped[str | None]
    rate_limit: Mapped[int | None]
    rate_limit_window_seconds: Mapped[int | None]
    request_quota_daily: Mapped[int | None]
    token_quota_daily: Mapped[int | None]
    token_quota_monthly: Mapped[int | None]
    tokens_per_minute: Mapped[int | None]
    cost_quota_daily_nanos: Mapped[int | None]
    cost_quota_monthly_nanos: Mapped[int | None]
    max_concurrency: Mapped[int | None]
    max_output_tokens: Mapped[int | None]
    available_time_ranges: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    per_model: Mapped[dict[str, dict[str, int]]] = mapped_column(Json, default=dict)
    region: Mapped[str | None]
    region_strict: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=5)
    disconnect_policy: Mapped[str | None] = mapped_column(String(16))


class User(Allowance, Row, Base):
    __tablename__ = "users"

    number: Mapped[int] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    account: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    phone: Mapped[str | None] = mapped_column(String(32))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    department: Mapped[str] = mapped_column(default="")
    role: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None]
    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"))
    last_login_at: Mapped[dt.datetime | None]


class App(Allowance, Row, Base):
    """Groups keys of one user; may have limits of its own."""

    __tablename__ = "apps"
    __table_args__ = (Index(None, "user_id"),)

    number: Mapped[int] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))
    models: Mapped[list[str] | None] = mapped_column(Json)
    ip_allow: Mapped[list[str]] = mapped_column(Json, default=list)
    ip_deny: Mapped[list[str]] = mapped_column(Json, default=list)


class ApiKey(Allowance, Row, Base):
    """A client's secret: found by the SHA-256 of the whole key, sealed beside it for its owner."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "user_id"), Index(None, "app_id"))

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    app_id: Mapped[str | None] = mapped_column(ForeignKey("apps.id"))
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_sealed: Mapped[str] = mapped_column(Text)
    key_prefix: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    models: Mapped[list[str] | None] = mapped_column(Json)
    ip_allow: Mapped[list[str]] = mapped_column(Json, default=list)
    ip_deny: Mapped[list[str]] = mapped_column(Json, default=list)
    disconnect_policy: Mapped[str | None] = mapped_column(String(16))
    valid_until: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]
