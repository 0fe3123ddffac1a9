"""Appending to the ledger: an entry goes in once for its reference and slot, or not at all."""

from collections.abc import Sequence

from msgspec.structs import asdict

from gateway.db import Session
from gateway.ledger import bulk
from gateway.ledger.entries import Entry
from gateway.ledger.projections import move
from models import LedgerEntry


def append(session: Session, entries: Sequence[Entry]) -> set[str]:
    """Write entries and move ``used`` by those that are new; the references of the new ones.

    All entries of one call are of one slot, with a reference at most once.
    """
    rows = [asdict(entry) for entry in entries]
    new = bulk.insert_new(session, LedgerEntry, rows, returning="reference")
    move(session, [entry for entry in entries if entry.reference in new])
    return new
