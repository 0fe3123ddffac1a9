"""Which processes there are and when they were last heard of."""

import datetime as dt
import os
import socket
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock, ids
from gateway.db import Session
from models import Process


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What others know of one process."""

    id: str
    kind: str
    host: str
    pid: int
    started_at: dt.datetime


def identify(kind: str) -> ProcessIdentity:
    """A new identity, for a process that has just started."""
    return ProcessIdentity(ids.new_uuid(), kind, socket.gethostname(), os.getpid(), clock.now())


def record_heartbeat(session: Session, process: ProcessIdentity) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    now = clock.now()
    session.execute(
        dialect.insert(Process)
        .values(
            id=process.id,
            kind=process.kind,
            host=process.host,
            pid=process.pid,
            started_at=process.started_at,
            heartbeat_at=now,
        )
        .on_conflict_do_update(index_elements=["id"], set_={"heartbeat_at": now})
    )
