"""What runs: processes that were heard of lately, and whether a worker does its work."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from gateway import clock
from gateway.db import Database, ReadSession
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings
from models import Process, Tick

NEEDED = ("api", "worker")
MISSED_HEARTBEATS = 3
CONSUMING_SECONDS = 120


def check_activity(settings: Settings) -> list[Finding]:
    database = Database.connect(settings.resolved_database_url, settings.database, "sluice doctor")
    try:
        with database.snapshot() as session:
            return [*_processes(session, settings), *_ticks(session)]
    finally:
        database.close()


def _processes(session: ReadSession, settings: Settings) -> Iterator[Finding]:
    since = clock.now() - dt.timedelta(
        seconds=MISSED_HEARTBEATS * settings.worker.heartbeat_seconds
    )
    kinds = Counter(session.scalars(select(Process.kind).where(Process.heartbeat_at >= since)))
    if kinds:
        running = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield Finding(Level.OK, "processes", f"running: {running}")
    missing = [kind for kind in NEEDED if not kinds[kind]]
    if missing:
        message = f"no {' and no '.join(missing)} process was heard of lately"
        yield Finding(Level.WARN, "processes", message, "run `sluice up`, or api, worker and beat")


def _ticks(session: ReadSession) -> Iterator[Finding]:
    ticks = session.scalars(select(Tick).order_by(Tick.name)).all()
    yield _consuming(ticks)
    for tick in ticks:
        if tick.last_error:
            message = f"{tick.name} failed: {tick.last_error}"
            yield Finding(Level.WARN, "periodic work", message, "see the worker's log")


def _consuming(ticks: Sequence[Tick]) -> Finding:
    """Periodic work is done by workers, so that it is done shows that messages arrive."""
    finished = [tick.last_finished_at for tick in ticks if tick.last_finished_at]
    if not finished:
        message, advice = "no worker has done anything yet", "start a worker and beat"
        return Finding(Level.WARN, "workers", message, advice)
    seconds = int((clock.now() - max(finished)).total_seconds())
    message = f"the last periodic work was done {seconds} s ago"
    if seconds > CONSUMING_SECONDS:
        return Finding(Level.WARN, "workers", message, "see that a worker and beat run")
    return Finding(Level.OK, "workers", message)
