"""Reading the ledger."""

from collections.abc import Sequence

from sqlalchemy import select

from gateway.db import ReadSession
from gateway.ledger.entries import FINAL
from models import EntryKind, LedgerEntry


def list_abandoned(session: ReadSession, references: Sequence[str]) -> dict[str, int]:
    """Those of the references whose final entry says that their owner died, with its amount."""
    rows = session.execute(
        select(LedgerEntry.reference, LedgerEntry.amount_nanos).where(
            LedgerEntry.reference.in_(references),
            LedgerEntry.slot == FINAL,
            LedgerEntry.kind == EntryKind.ABANDONED,
        )
    )
    return {row.reference: row.amount_nanos for row in rows}


def list_entries(
    session: ReadSession, user_id: str, before_id: str | None = None, limit: int = 100
) -> Sequence[LedgerEntry]:
    """A user's entries, the newest first; ``before_id`` is the last one of the page before."""
    statement = select(LedgerEntry).where(LedgerEntry.user_id == user_id)
    if before_id is not None:
        statement = statement.where(LedgerEntry.id < before_id)
    return session.scalars(statement.order_by(LedgerEntry.id.desc()).limit(limit)).all()
