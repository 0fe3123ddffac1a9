"""What happened: request records, their attempts and the rollups that dashboards read."""

import datetime as dt
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Json


class RequestStatus(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


class RequestRecord(Base):
    """One admitted call; partitioned by ``created_at`` on PostgreSQL."""

    __tablename__ = "requests"
    __table_args__ = (
        Index(None, "id"),
        Index(None, "user_id", "created_at"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    created_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id)
    app_id: Mapped[str | None] = mapped_column(Id)
    api_key_id: Mapped[str | None] = mapped_column(Id)
    surface: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(32))
    model_id: Mapped[str] = mapped_column(Id)
    model: Mapped[str]
    answered_model: Mapped[str]
    backend_id: Mapped[str | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(16))
    http_status: Mapped[int]
    error_code: Mapped[str | None] = mapped_column(String(64))
    stream: Mapped[bool]
    attempts: Mapped[int]
    input_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    output_tokens: Mapped[int]
    reasoning_tokens: Mapped[int]
    basis: Mapped[str] = mapped_column(String(16))
    charge_nanos: Mapped[int]
    cost_nanos: Mapped[int]
    overrun_nanos: Mapped[int]
    duration_ms: Mapped[int]
    first_byte_ms: Mapped[int | None]
    client_ip: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str]
    region: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(Json)


class Attempt(Base):
    """One try of a call at one backend; partitioned like the requests."""

    __tablename__ = "attempts"
    __table_args__ = ({"postgresql_partition_by": "RANGE (created_at)"},)

    created_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    backend_id: Mapped[str] = mapped_column(Id)
    provider_key_id: Mapped[str | None] = mapped_column(Id)
    upstream_model: Mapped[str]
    outcome: Mapped[str] = mapped_column(String(32))
    http_status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    started_ms: Mapped[int]
    duration_ms: Mapped[int]
    cost_nanos: Mapped[int]


class Rollup(Base):
    """Sums per hour and (user, app, key, model, backend); an absent id is the nil UUID."""

    __tablename__ = "rollups"
    __table_args__ = (Index(None, "user_id", "hour"), Index(None, "model_id", "hour"))

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    app_id: Mapped[str] = mapped_column(Id, primary_key=True)
    api_key_id: Mapped[str] = mapped_column(Id, primary_key=True)
    model_id: Mapped[str] = mapped_column(Id, primary_key=True)
    backend_id: Mapped[str] = mapped_column(Id, primary_key=True)
    requests: Mapped[int]
    failed: Mapped[int]
    input_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    output_tokens: Mapped[int]
    charge_nanos: Mapped[int]
    cost_nanos: Mapped[int]
    overrun_nanos: Mapped[int]
    duration_ms: Mapped[int]
