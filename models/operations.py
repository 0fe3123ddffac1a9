"""The system about itself: processes, ticks, the drain's position, settings made at run time."""

import datetime as dt
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Json


class Process(Base):
    """One running API, worker or beat process and when it was last heard of."""

    __tablename__ = "processes"
    __table_args__ = (Index(None, "heartbeat_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[dt.datetime]
    heartbeat_at: Mapped[dt.datetime]


class Tick(Base):
    """The lease of one periodic task; whoever moves ``next_run_at`` on runs it."""

    __tablename__ = "ticks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    next_run_at: Mapped[dt.datetime]
    lease_until: Mapped[dt.datetime]
    fence: Mapped[int]
    last_started_at: Mapped[dt.datetime | None]
    last_finished_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class DrainState(Base):
    """How far the settlement stream has been written into the ledger."""

    __tablename__ = "drain_state"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(64))
    watermark: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int]
    owner: Mapped[str] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Setting(Base):
    """A value that an operator changes while the system runs."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(Json)
    updated_at: Mapped[dt.datetime]
