"""Where calls go: providers, their backends and the keys we use there."""

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Json, Row


class Provider(Row, Base):
    """A vendor; the adapter's differences (auth style, paths, version) are data here."""

    __tablename__ = "providers"

    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    adapter: Mapped[str] = mapped_column(String(64))
    # bearer, x-api-key, api-key, query:<parameter> or none
    auth_style: Mapped[str] = mapped_column(String(64), default="bearer")
    # operation → path below the base URL, e.g. {"chat": "/chat/completions"}
    path_templates: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    api_version: Mapped[str | None] = mapped_column(String(64))
    # What is sent along on every call, e.g. {"anthropic-version": "2023-06-01"}
    headers: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)


class Backend(Row, Base):
    """One upstream address of a provider."""

    __tablename__ = "backends"
    __table_args__ = (Index(None, "provider_id"),)

    slug: Mapped[str] = mapped_column(String(64), unique=True)
    provider_id: Mapped[str] = mapped_column(ForeignKey("providers.id"))
    name: Mapped[str] = mapped_column(default="")
    base_url: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(64), default="")
    weight: Mapped[int] = mapped_column(default=1)
    max_concurrency: Mapped[int] = mapped_column(default=0)
    # Overrides of UpstreamSettings in seconds, e.g. {"first_byte_seconds": 120}
    limits: Mapped[dict[str, float]] = mapped_column(Json, default=dict)
    # What this server wants differently, over what the model says of itself.
    capabilities: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    healthy: Mapped[bool] = mapped_column(default=True)
    fail_count: Mapped[int] = mapped_column(default=0)
    latency_ms: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    last_check_at: Mapped[dt.datetime | None]


class BackendModel(Row, Base):
    """The link that says: this backend serves this model, under this name."""

    __tablename__ = "backend_models"
    __table_args__ = (
        Index(None, "backend_id", "model_id", unique=True),
        Index(None, "model_id"),
    )

    backend_id: Mapped[str] = mapped_column(ForeignKey("backends.id"))
    model_id: Mapped[str] = mapped_column(ForeignKey("ai_models.id"))
    # Empty: the model's own name.
    upstream_model: Mapped[str] = mapped_column(default="")
    weight: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=0)
    # Over those of the model and of the backend.
    capabilities: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)


class ProviderKey(Row, Base):
    """A credential of ours at a vendor; without links it serves all backends of the provider."""

    __tablename__ = "provider_keys"
    __table_args__ = (Index(None, "provider_id"),)

    provider_id: Mapped[str] = mapped_column(ForeignKey("providers.id"))
    name: Mapped[str]
    secret_sealed: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[str] = mapped_column(String(64))
    weight: Mapped[int] = mapped_column(default=1)
    agents_only: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(16))
    status_reason: Mapped[str | None] = mapped_column(Text)


class ProviderKeyBackend(Base):
    __tablename__ = "provider_key_backends"

    provider_key_id: Mapped[str] = mapped_column(
        Id, ForeignKey("provider_keys.id", ondelete="CASCADE"), primary_key=True
    )
    backend_id: Mapped[str] = mapped_column(
        Id, ForeignKey("backends.id", ondelete="CASCADE"), primary_key=True
    )


class ProviderKeyModel(Base):
    """A key tied to a model directly, without a backend between them."""

    __tablename__ = "provider_key_models"

    provider_key_id: Mapped[str] = mapped_column(
        Id, ForeignKey("provider_keys.id", ondelete="CASCADE"), primary_key=True
    )
    model_id: Mapped[str] = mapped_column(
        Id, ForeignKey("ai_models.id", ondelete="CASCADE"), primary_key=True
    )
