"""Price versions of a model: immutable, and a new one only where a price differs."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import select

from gateway import clock, ids, money
from gateway.db import ReadSession, Session
from models import PriceRow, PriceVersion

OPERATOR = "operator"
Rows = dict[tuple[str, str], int]
"""Nanos per million units by (dimension, variant)."""


def rows_from_usd(usd_per_million: Mapping[str, Decimal]) -> Rows:
    """``{"input": "2.50", "image:1024x1024": "40000"}`` as the rows of a version."""
    rows: Rows = {}
    for key, amount in usd_per_million.items():
        dimension, _, variant = key.partition(":")
        rows[dimension, variant] = money.from_usd(amount)
    return rows


def usd_from_rows(rows: Rows) -> dict[str, Decimal]:
    """The way back, exact."""
    return {
        f"{dimension}:{variant}" if variant else dimension: Decimal(money.format_usd(nanos))
        for (dimension, variant), nanos in sorted(rows.items())
    }


def find_version(session: ReadSession, model_id: str) -> PriceVersion | None:
    """The version in force."""
    return session.scalars(
        select(PriceVersion)
        .where(PriceVersion.model_id == model_id)
        .order_by(PriceVersion.version.desc())
        .limit(1)
    ).one_or_none()


def list_rows(session: ReadSession, version: PriceVersion | None) -> Rows:
    if version is None:
        return {}
    rows = session.scalars(select(PriceRow).where(PriceRow.price_version_id == version.id))
    return {(row.dimension, row.variant): row.nanos_per_million for row in rows}


def set_prices(session: Session, model_id: str, rows: Rows, source: str = OPERATOR) -> bool:
    """Put ``rows`` in force; False, without a new version, if they already are."""
    current = find_version(session, model_id)
    if list_rows(session, current) == rows:
        return False
    version = PriceVersion(
        id=ids.new_uuid(),
        model_id=model_id,
        version=current.version + 1 if current else 1,
        source=source,
        created_at=clock.now(),
    )
    session.add(version)
    session.flush()
    session.add_all(
        PriceRow(
            price_version_id=version.id,
            dimension=dimension,
            variant=variant,
            nanos_per_million=nanos,
        )
        for (dimension, variant), nanos in rows.items()
    )
    return True
