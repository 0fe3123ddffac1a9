"""What is sold: models, their price versions, capability tags and our own cost factors."""

import datetime as dt
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Json, Row


class ModelType(StrEnum):
    CHAT = "chat"
    EMBEDDING = "embedding"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    MIDJOURNEY = "midjourney"
    MODERATION = "moderation"
    REALTIME = "realtime"


class LoadBalancing(StrEnum):
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"


class AIModel(Row, Base):
    """A name clients may ask for."""

    __tablename__ = "ai_models"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(Text, default="")
    type: Mapped[str] = mapped_column(String(16))
    aliases: Mapped[list[str]] = mapped_column(Json, default=list)
    enabled: Mapped[bool] = mapped_column(default=True)
    context_window: Mapped[int | None]
    max_output_tokens: Mapped[int | None]
    load_balancing: Mapped[str] = mapped_column(String(16))
    # Sent upstream unless the client sets them; "__name__" keys become headers.
    parameters: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    forward: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    fallback: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    capabilities: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    limits: Mapped[dict[str, float]] = mapped_column(Json, default=dict)
    disconnect_policy: Mapped[str | None] = mapped_column(String(16))


class PriceVersion(Base):
    """An immutable set of prices; the newest one of a model is in force."""

    __tablename__ = "price_versions"
    __table_args__ = (Index(None, "model_id", "version", unique=True),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("ai_models.id"))
    version: Mapped[int]
    source: Mapped[str] = mapped_column(default="operator")
    created_at: Mapped[dt.datetime]


class PriceRow(Base):
    """Nanos per million units of one dimension; ``variant`` tells sizes and qualities apart."""

    __tablename__ = "price_rows"

    price_version_id: Mapped[str] = mapped_column(
        Id, ForeignKey("price_versions.id"), primary_key=True
    )
    dimension: Mapped[str] = mapped_column(String(32), primary_key=True)
    variant: Mapped[str] = mapped_column(String(64), primary_key=True, default="")
    nanos_per_million: Mapped[int]


class CapabilityTag(Row, Base):
    __tablename__ = "capability_tags"

    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(Text, default="")


class ModelCapabilityTag(Base):
    __tablename__ = "model_capability_tags"

    model_id: Mapped[str] = mapped_column(
        Id, ForeignKey("ai_models.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[str] = mapped_column(
        Id, ForeignKey("capability_tags.id", ondelete="CASCADE"), primary_key=True
    )


class CostMultiplier(Row, Base):
    """What we pay upstream, as millionths of the list price, for one provider, backend or key."""

    __tablename__ = "cost_multipliers"
    __table_args__ = (Index(None, "scope", "scope_id", unique=True),)

    scope: Mapped[str] = mapped_column(String(16))
    scope_id: Mapped[str] = mapped_column(Id)
    factor_millionths: Mapped[int] = mapped_column(default=1_000_000)
