"""Months of requests and attempts as partitions on PostgreSQL; SQLite has none.

A row whose month has no partition lands in the default one, so nothing is ever refused;
when the month is made, such rows move into it in the same transaction.
"""

import datetime as dt

from sqlalchemy import text

from gateway import clock, log
from gateway.db import Database, Session
from gateway.retention.table import PARTITIONED

MONTHS_AHEAD = 3

_log = log.get(__name__)


def month_of(time: dt.datetime) -> dt.datetime:
    """The first moment of its month."""
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: dt.datetime) -> dt.datetime:
    return month_of(month + dt.timedelta(days=31))


def ensure_partitions(database: Database) -> int:
    """Make the partitions of this month and the next ones; the number of new ones."""
    if not database.is_postgres:
        return 0
    made, month = 0, month_of(clock.now())
    for _ in range(MONTHS_AHEAD + 1):
        for table in PARTITIONED:
            with database.transaction() as session:
                made += _make(session, table, month)
        month = next_month(month)
    return made


def _make(session: Session, table: str, month: dt.datetime) -> int:
    name = _name(table, month)
    if session.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None:
        return 0
    _prepare(session)
    start, end = month.isoformat(), next_month(month).isoformat()
    # Nobody may write a row of this month to the default partition meanwhile.
    session.execute(text(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"))
    session.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS)"))
    gone = f"DELETE FROM {table}_default WHERE created_at >= :start AND created_at < :end"  # noqa: S608
    taken = f"INSERT INTO {name} SELECT * FROM gone RETURNING 1"  # noqa: S608
    moved = session.execute(
        text(f"WITH gone AS ({gone} RETURNING *) {taken}"), {"start": start, "end": end}
    ).all()
    session.execute(
        text(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
        )
    )
    _log.info("partition_made", partition=name, rows_moved=len(moved))
    return 1


def drop_before(database: Database, table: str, cutoff: dt.datetime) -> None:
    """Drop the months that end at or before ``cutoff``."""
    with database.snapshot() as session:
        names = session.scalars(
            text(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = :t ::regclass"
            ),
            {"t": table},
        ).all()
    last = _name(table, cutoff)
    for name in sorted(names):
        # The names sort like their months; the default partition sorts after all of them.
        if name < last:
            with database.transaction() as session:
                _prepare(session)
                session.execute(text(f"DROP TABLE {name}"))
            _log.info("partition_dropped", partition=name)


def _prepare(session: Session) -> None:
    """Moving rows may take long; waiting for a lock must not, everybody queues behind it."""
    session.execute(text("SET LOCAL lock_timeout = '3s'"))
    session.execute(text("SET LOCAL statement_timeout = 0"))


def _name(table: str, month: dt.datetime) -> str:
    return f"{table}_{month:%Y_%m}"
