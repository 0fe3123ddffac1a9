"""Purging: rows past their days are deleted a bounded number at a time, months are dropped."""

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import Table, delete, select, tuple_

from gateway import clock, ledger
from gateway.db import Database
from gateway.retention.partitions import drop_before, month_of
from gateway.retention.table import PARTITIONED, RETENTION, Kept
from gateway.settings import RetentionSettings
from models import Base


def purge(database: Database, settings: RetentionSettings) -> Mapping[str, int]:
    """Delete what is past its days; rows deleted per table (dropped months are not counted)."""
    deleted = {}
    for name, kept in RETENTION.items():
        if kept is not None:
            cutoff = _cutoff(database, name, getattr(settings, kept.setting))
            deleted[name] = _purge_table(database, name, kept, cutoff, settings.delete_rows)
    return deleted


def _cutoff(database: Database, name: str, days: int) -> dt.datetime:
    """Whole days, so that no hour is half purged; whole months where months are dropped."""
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    cutoff = today - dt.timedelta(days=days)
    return month_of(cutoff) if database.is_postgres and name in PARTITIONED else cutoff


def _purge_table(
    database: Database, name: str, kept: Kept, cutoff: dt.datetime, at_once: int
) -> int:
    if name == "requests":
        with database.transaction() as session:
            ledger.keep_since(session, cutoff)
    if database.is_postgres and name in PARTITIONED:
        drop_before(database, name, cutoff)
    table, deleted = Base.metadata.tables[name], 0
    while True:
        count = _delete_some(database, table, kept.column, cutoff, at_once)
        deleted += count
        if count < at_once:
            return deleted


def _delete_some(
    database: Database, table: Table, column: str, cutoff: dt.datetime, at_once: int
) -> int:
    key = tuple_(*table.primary_key.columns)
    oldest = select(*table.primary_key.columns).where(table.c[column] < cutoff).limit(at_once)
    statement = delete(table).where(key.in_(oldest)).returning(table.c[column])
    with database.transaction() as session:
        return len(session.execute(statement).all())
