"""Verification: everything that is derived is recomputed and compared.

Reads one snapshot, so it may run while the system works; only the comparison with Redis
needs an idle system, and is left out otherwise.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import chain

from redis import Redis
from sqlalchemy import literal, select, text

from gateway.db import Database, ReadSession
from gateway.ledger import sums
from gateway.ledger.compare import Difference, differences
from gateway.ledger.kept import get_kept_since
from gateway.ledger.projections import LEVELS
from gateway.ledger.recompute import wrong_charges
from gateway.ledger.verify_redis import wrong_allowances
from models import RequestRecord

END = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


def verify(database: Database, client: Redis | None = None) -> list[Difference]:
    """All differences between what is kept and what it should be; none in a sound system."""
    with database.snapshot() as session:
        allow_long_statements(session)
        since = get_kept_since(session)
        found = list(
            chain(
                _wrong_projections(session),
                _wrong_records(session, since),
                _wrong_rollups(session, since),
                wrong_charges(session),
            )
        )
    return found + (wrong_allowances(database, client) if client is not None else [])


def allow_long_statements(session: ReadSession) -> None:
    """For this transaction; the whole ledger is read."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))


def _wrong_projections(session: ReadSession) -> Iterator[Difference]:
    for owner, column, levels in LEVELS:
        kept = select(
            owner.id.label("owner"),
            owner.used_nanos.label("used"),
            owner.lifetime_used_nanos.label("lifetime"),
        )
        expected = sums.entries_by_owner(column, levels)
        yield from differences(session, owner.__tablename__, expected, kept, keys=1)


def _wrong_records(session: ReadSession, since: dt.datetime) -> Iterator[Difference]:
    records = select(
        RequestRecord.id.label("reference"),
        literal(1).label("finals"),
        RequestRecord.charge_nanos.label("charge"),
        RequestRecord.overrun_nanos.label("overrun"),
    ).where(RequestRecord.created_at >= since)
    return differences(session, "requests", sums.entries_by_call(since), records, keys=1)


def _wrong_rollups(session: ReadSession, since: dt.datetime) -> Iterator[Difference]:
    expected = sums.requests_by_hour(session, since, END)
    kept = sums.rollups(since, END)
    return differences(session, "rollups", expected, kept, keys=len(sums.ROLLUP_KEY))
