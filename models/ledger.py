"""Money: the append-only ledger and what tells the rest of the system that it moved."""

import datetime as dt
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Id, Json


class EntryKind(StrEnum):
    CHARGE = "charge"
    RELEASE = "release"
    ABANDONED = "abandoned"
    ADJUSTMENT = "adjustment"
    GRANT = "grant"
    REFUND = "refund"
    RESET = "reset"


class EntryLevel(StrEnum):
    """Which allowances an entry moves: a charge moves all three, a reset only its own."""

    ALL = "all"
    USER = "user"
    APP = "app"
    API_KEY = "api_key"


class Basis(StrEnum):
    REPORTED = "reported"
    ESTIMATED = "estimated"
    NONE = "none"


class LedgerEntry(Base):
    """One movement; never changed, never deleted.

    ``slot`` makes an entry unique for its reference: "final" for the one charge, release or
    abandoned entry, "adjustment" for its correction, "part:N" for increments of long calls.
    ``amount_nanos`` is what ``used`` grows by.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("reference", "slot"),
        Index(None, "user_id", "created_at"),
        Index(None, "app_id"),
        Index(None, "api_key_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[dt.datetime]
    reference: Mapped[str] = mapped_column(String(64))
    slot: Mapped[str] = mapped_column(String(24))
    kind: Mapped[str] = mapped_column(String(16))
    level: Mapped[str] = mapped_column(String(8), default=EntryLevel.ALL)
    user_id: Mapped[str] = mapped_column(Id)
    app_id: Mapped[str | None] = mapped_column(Id)
    api_key_id: Mapped[str | None] = mapped_column(Id)
    model_id: Mapped[str | None] = mapped_column(Id)
    amount_nanos: Mapped[int]
    overrun_nanos: Mapped[int] = mapped_column(default=0)
    held_nanos: Mapped[int] = mapped_column(default=0)
    price_version_id: Mapped[str | None] = mapped_column(Id)
    # [[dimension, variant, quantity], …]
    usage: Mapped[list[list[Any]]] = mapped_column(Json, default=list)
    disconnect_policy: Mapped[str | None] = mapped_column(String(16))
    basis: Mapped[str] = mapped_column(String(16), default=Basis.REPORTED)
    note: Mapped[str] = mapped_column(Text, default="")


class AllowanceEffect(Base):
    """Outbox: this user's allowance in Redis no longer agrees with the ledger; load it anew."""

    __tablename__ = "allowance_effects"
    __table_args__ = (Index(None, "applied_at"),)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(Id)
    reason: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime]
    applied_at: Mapped[dt.datetime | None]


class Change(Base):
    """Configuration moved on: snapshots made before this revision are stale."""

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))
    object_id: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int]
    created_at: Mapped[dt.datetime]


class Revision(Base):
    """The newest revision of one user, policy or the catalog; survives a loss of Redis."""

    __tablename__ = "revisions"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    object_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int]
