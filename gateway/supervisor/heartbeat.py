"""``python -m gateway.supervisor.heartbeat KIND``: does such a process live on this host?.

A worker that hangs keeps its process and its connections; what stops is its heartbeat, which
is written to the database. Container health checks ask for that.
"""

import datetime as dt
import socket
import sys

from sqlalchemy import select

from gateway import clock, settings
from gateway.db import Database, ReadSession
from models import Process

FRESH = dt.timedelta(seconds=60)


def find_last(session: ReadSession, kind: str, host: str) -> dt.datetime | None:
    return session.scalar(
        select(Process.heartbeat_at)
        .where(Process.kind == kind, Process.host == host)
        .order_by(Process.heartbeat_at.desc())
        .limit(1)
    )


def main(kind: str) -> int:
    given = settings.load()
    database = Database.connect(given.resolved_database_url, given.database, "heartbeat")
    try:
        with database.snapshot() as session:
            last = find_last(session, kind, socket.gethostname())
    finally:
        database.close()
    if last is not None and clock.now() - last < FRESH:
        return 0
    sys.stderr.write(f"the last heartbeat of {kind} on this host: {last or 'never'}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
