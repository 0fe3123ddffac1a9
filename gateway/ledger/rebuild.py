"""Rebuilding everything that is derived from the ledger and the request records.

May run while the system works: the drain waits for each of the short transactions.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import Table, bindparam, delete, func, insert, select, update

from gateway.cache import keys
from gateway.db import Database, Session
from gateway.ledger import sums
from gateway.ledger.kept import get_kept_since
from gateway.ledger.outbox import reload_allowances
from gateway.ledger.projections import LEVELS
from gateway.ledger.verify import allow_long_statements
from models import DrainState, RequestRecord, Rollup, User

OWNERS_AT_ONCE = 200
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many rows were computed anew."""

    users: int
    apps: int
    api_keys: int
    rollups: int


def rebuild(database: Database, client: Redis | None = None) -> Rebuilt:
    """Compute projections and rollups anew, then have every allowance loaded anew."""
    rollups = sum(_rebuild_day(database, day) for day in _days(database))
    counts = {}
    # Users last: with them the allowances of their apps and keys are loaded anew.
    for owner, column, levels in reversed(LEVELS):
        count = 0
        for owner_ids in _pages(database, owner.__table__):  # type: ignore[arg-type]
            _rebuild_owners(database, (owner.__table__, column, levels), owner_ids)  # type: ignore[arg-type]
            if owner is User and client is not None:
                client.delete(*(keys.allowance(user_id) for user_id in owner_ids))
            count += len(owner_ids)
        counts[owner.__tablename__] = count
    return Rebuilt(counts["users"], counts["apps"], counts["api_keys"], rollups)


def _hold_the_drain(session: Session) -> None:
    """Until this transaction ends no batch can be written; SQLite has one writer anyway."""
    allow_long_statements(session)
    session.execute(select(DrainState.name).with_for_update())


def _pages(database: Database, table: Table) -> Iterator[list[str]]:
    last = ""
    while True:
        with database.snapshot() as session:
            statement = select(table.c.id).order_by(table.c.id).limit(OWNERS_AT_ONCE)
            page = list(session.scalars(statement.where(table.c.id > last) if last else statement))
        if not page:
            return
        yield page
        last = page[-1]


def _rebuild_owners(
    database: Database, level: tuple[Table, str, tuple[str, ...]], owner_ids: Sequence[str]
) -> None:
    table, column, levels = level
    with database.transaction() as session:
        _hold_the_drain(session)
        # Whoever grants or refunds at this moment goes first or waits.
        chosen = table.c.id.in_(owner_ids)
        session.execute(select(table.c.id).where(chosen).order_by(table.c.id).with_for_update())
        expected = sums.entries_by_owner(column, levels)
        of_these = expected.selected_columns.owner.in_(owner_ids)
        found = {row.owner: row for row in session.execute(expected.where(of_these))}
        rows = [
            {
                "row": owner_id,
                "used": int(found[owner_id].used) if owner_id in found else 0,
                "lifetime": int(found[owner_id].lifetime) if owner_id in found else 0,
            }
            for owner_id in owner_ids
        ]
        session.connection().execute(
            update(table)
            .where(table.c.id == bindparam("row"))
            .values(used_nanos=bindparam("used"), lifetime_used_nanos=bindparam("lifetime")),
            rows,
        )
        if table is User.__table__:
            reload_allowances(session, owner_ids, "ledger rebuilt")


def _days(database: Database) -> Iterator[dt.datetime]:
    """The days that have records or rollups, as far back as records are complete."""
    with database.snapshot() as session:
        since = get_kept_since(session)
        first = [
            session.scalar(select(func.min(column)).where(column >= since))
            for column in (RequestRecord.created_at, Rollup.hour)
        ]
        last = [
            session.scalar(select(func.max(column)))
            for column in (RequestRecord.created_at, Rollup.hour)
        ]
    days = [time for time in first if time is not None]
    if not days:
        return
    day = min(days).replace(hour=0, minute=0, second=0, microsecond=0)
    end = max(time for time in last if time is not None)
    while day <= end:
        yield day
        day += DAY


def _rebuild_day(database: Database, day: dt.datetime) -> int:
    with database.transaction() as session:
        _hold_the_drain(session)
        session.execute(delete(Rollup).where(Rollup.hour >= day, Rollup.hour < day + DAY))
        columns = [*sums.ROLLUP_KEY, *sums.ROLLUP_COUNTERS]
        summed = sums.requests_by_hour(session, day, day + DAY)
        new = insert(Rollup).from_select(columns, summed).returning(Rollup.user_id)
        return len(session.execute(new).all())
