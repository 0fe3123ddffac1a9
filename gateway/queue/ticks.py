"""Periodic work: whoever takes the lease of a tick does it, all others do nothing.

Bells may ring twice, late or not at all. A tick runs at most once per period and never
twice at the same time, unless its owner has outlived its lease.
"""

import datetime as dt
from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock
from gateway.db import Database, Session
from models import Tick

LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A bell is never exactly on time: this part of the period it may be early.
TOLERANCE = 0.25


def run_tick(
    database: Database,
    name: str,
    every_seconds: float,
    work: Callable[[], object],
    lease_seconds: float = 60,
) -> bool:
    """Do the work if it is due and nobody else does it; an error is recorded and raised."""
    with database.transaction() as session:
        fence = _claim(session, name, every_seconds, lease_seconds)
    if fence is None:
        return False
    try:
        work()
    except Exception as error:
        with database.transaction() as session:
            _finish(session, name, fence, repr(error)[:2000])
        raise
    with database.transaction() as session:
        _finish(session, name, fence, None)
    return True


def _claim(session: Session, name: str, every_seconds: float, lease_seconds: float) -> int | None:
    now, period = clock.now(), dt.timedelta(seconds=every_seconds)
    tick = session.execute(
        select(Tick.next_run_at, Tick.lease_until, Tick.fence).where(Tick.name == name)
    ).one_or_none()
    if tick is None:
        _create(session, name)
        next_run_at, lease_until, fence = now, now, 0
    else:
        next_run_at, lease_until, fence = tick
    if lease_until > now or next_run_at > now + TOLERANCE * period:
        return None
    return session.execute(
        update(Tick)
        .where(Tick.name == name, Tick.fence == fence)
        .values(
            fence=fence + 1,
            next_run_at=max(next_run_at, now) + period,
            lease_until=now + dt.timedelta(seconds=lease_seconds),
            last_started_at=now,
        )
        .returning(Tick.fence)
    ).scalar_one_or_none()


def _create(session: Session, name: str) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(Tick)
        .values(name=name, next_run_at=LONG_AGO, lease_until=LONG_AGO, fence=0)
        .on_conflict_do_nothing()
    )


def _finish(session: Session, name: str, fence: int, error: str | None) -> None:
    """Nothing happens if the lease has run out and another owner has it."""
    values: dict[str, object] = {"lease_until": LONG_AGO, "last_error": error}
    if error is None:
        values["last_finished_at"] = clock.now()
    session.execute(update(Tick).where(Tick.name == name, Tick.fence == fence).values(values))
