"""The health checks of containers: ``python -m gateway.supervisor.health worker GROUP | beat``.

A hung process keeps its connections, so these ask for what it does: a worker must answer
over the broker, and for beat some task must have begun lately.
"""

import datetime as dt
import socket
import sys

from sqlalchemy import func, select

from gateway import clock, queue, settings
from gateway.db import Database, ReadSession
from gateway.settings import Settings
from models import Tick

PING_SECONDS = 5.0
FRESH = dt.timedelta(seconds=60)


def main(kind: str, group: str = "") -> int:
    given = settings.load()
    problem = find_worker_problem(given, group) if kind == "worker" else find_beat_problem(given)
    sys.stderr.write(f"{problem}\n" if problem else "")
    return 1 if problem else 0


def find_worker_problem(given: Settings, group: str) -> str | None:
    """Ping the workers of the group on this host, whose names end in process and host."""
    pattern = f"{group}-*@{socket.gethostname()}"
    inspect = queue.configure(given).control.inspect(
        timeout=PING_SECONDS,
        pattern=pattern,
        matcher="glob",  # type: ignore[arg-type]  # the stubs know only functions
        limit=1,
    )
    answers = inspect.ping()
    return None if answers else f"no worker {pattern} answers over the broker"


def find_beat_problem(given: Settings) -> str | None:
    database = Database.connect(given.resolved_database_url, given.database, "health")
    try:
        with database.snapshot() as session:
            last = find_last_tick(session)
    finally:
        database.close()
    if last is not None and clock.now() - last < FRESH:
        return None
    return f"the last periodic task began at {last or 'no time yet'}"


def find_last_tick(session: ReadSession) -> dt.datetime | None:
    return session.scalar(select(func.max(Tick.last_started_at)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
