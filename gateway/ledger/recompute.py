"""Recomputing charges: usage times the prices that were in force is what was charged."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import aliased

from gateway import pricing
from gateway.db import ReadSession
from gateway.ledger.compare import READ_AT_ONCE, Difference
from gateway.ledger.entries import ADJUSTMENT, FINAL
from gateway.ledger.sums import AnySelect
from models import EntryKind, LedgerEntry, PriceRow

CHECK = "charge and usage"


class PriceBook:
    """Price versions are immutable: each is read once."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session
        self._versions: dict[str, dict[tuple[str, str], int]] = {}

    def prices(self, version_id: str) -> dict[tuple[str, str], int]:
        found = self._versions.get(version_id)
        if found is None:
            rows = self._session.execute(
                select(PriceRow.dimension, PriceRow.variant, PriceRow.nanos_per_million).where(
                    PriceRow.price_version_id == version_id
                )
            )
            found = {(row.dimension, row.variant): row.nanos_per_million for row in rows}
            self._versions[version_id] = found
        return found


def wrong_charges(session: ReadSession) -> Iterator[Difference]:
    """Charged and overrun amounts that are not the exact product, rounded up once."""
    book = PriceBook(session)
    for row in session.execute(_charges().execution_options(yield_per=READ_AT_ONCE)):
        charged = row.amount_nanos + row.abandoned_nanos + row.overrun_nanos
        expected = _expected(row, book)
        if expected != str(charged):
            yield Difference(CHECK, row.reference, expected, str(charged))


def _expected(row: Row[Any], book: PriceBook) -> str:
    usage = [(dimension, variant, quantity) for dimension, variant, quantity in row.usage]
    try:
        return str(pricing.cost(usage, book.prices(row.price_version_id)))
    except pricing.UnpricedError as error:
        return f"unpriced {error.dimension} {error.variant}".rstrip()


def _charges() -> AnySelect:
    """Charges, and corrections that made a charge of an abandoned call."""
    abandoned = aliased(LedgerEntry)
    corrected = and_(
        LedgerEntry.slot == ADJUSTMENT,
        abandoned.reference == LedgerEntry.reference,
        abandoned.slot == FINAL,
    )
    return (
        select(
            LedgerEntry.reference,
            LedgerEntry.amount_nanos,
            LedgerEntry.overrun_nanos,
            LedgerEntry.usage,
            LedgerEntry.price_version_id,
            func.coalesce(abandoned.amount_nanos, 0).label("abandoned_nanos"),
        )
        .outerjoin(abandoned, corrected)
        .where(
            LedgerEntry.price_version_id.is_not(None),
            LedgerEntry.kind.in_((EntryKind.CHARGE, EntryKind.ADJUSTMENT)),
            LedgerEntry.note != EntryKind.RELEASE,
        )
    )
