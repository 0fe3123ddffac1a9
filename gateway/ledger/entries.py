"""Appending to the ledger: an entry goes in once for its reference and slot, or not at all."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict

from gateway.db import Session
from gateway.ledger import bulk
from gateway.ledger.projections import move
from models import Basis, EntryLevel, LedgerEntry

FINAL = "final"
ADJUSTMENT = "adjustment"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row to be; the fields are the columns of ``LedgerEntry``."""

    id: str
    created_at: dt.datetime
    reference: str
    slot: str
    kind: str
    user_id: str
    app_id: str | None = None
    api_key_id: str | None = None
    amount_nanos: int
    level: str = EntryLevel.ALL
    model_id: str | None = None
    overrun_nanos: int = 0
    held_nanos: int = 0
    price_version_id: str | None = None
    usage: Sequence[Sequence[Any]] = ()
    disconnect_policy: str | None = None
    basis: str = Basis.REPORTED
    note: str = ""


def append(session: Session, entries: Sequence[Entry]) -> set[str]:
    """Write entries and move ``used`` by those that are new; the references of the new ones.

    All entries of one call are of one slot, with a reference at most once.
    """
    rows = [asdict(entry) for entry in entries]
    new = bulk.insert_new(session, LedgerEntry, rows, returning="reference")
    move(session, [entry for entry in entries if entry.reference in new])
    return new
