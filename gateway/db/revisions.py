"""Revisions: how every process learns that users, policies or the catalog have changed.

A change is a row written in the same transaction as what it is about. After the commit
it is announced to Redis, so that the next admission answers STALE; if that announcement
is lost, the poll of the ``changes`` table finds it within a second.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import sqlalchemy
from sqlalchemy import event, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock, log
from gateway.db.database import ReadSession, Session
from models import Change, Revision

USER = "user"
POLICY = "policy"
CATALOG = "catalog"

# A transaction may commit after one with a higher sequence; the poll looks back this far.
LOOK_BACK = 1000

_log = log.get(__name__)


class Revised(NamedTuple):
    kind: str
    object_id: str
    revision: int


Announcer = Callable[[list[Revised]], None]
_announcers: list[Announcer] = []


def announce(announcer: Announcer) -> None:
    """Call ``announcer`` with the revisions of every transaction this process commits."""
    _announcers.append(announcer)


def withdraw(announcer: Announcer) -> None:
    _announcers.remove(announcer)


def mark_changed(session: Session, kind: str, object_id: str = "") -> None:
    """Move the revision on; takes effect everywhere when the transaction commits."""
    mark_all_changed(session, kind, [object_id])


def mark_all_changed(session: Session, kind: str, object_ids: Iterable[str]) -> None:
    """The same for many objects; always in one order, so that two transactions cannot deadlock."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [{"kind": kind, "object_id": one, "revision": 1} for one in sorted(set(object_ids))]
    if not rows:
        return
    moved = session.execute(
        insert(Revision)
        .on_conflict_do_update(
            index_elements=["kind", "object_id"], set_={"revision": Revision.revision + 1}
        )
        .returning(Revision.object_id, Revision.revision),
        rows,
    ).all()
    revised = [Revised(kind, row.object_id, row.revision) for row in moved]
    now = clock.now()
    session.execute(
        sqlalchemy.insert(Change), [{**one._asdict(), "created_at": now} for one in revised]
    )
    _announce_after_commit(session, revised)


def _announce_after_commit(session: Session, revised: list[Revised]) -> None:
    pending: list[Revised] = session.info.setdefault("revised", [])
    is_first = not pending
    pending += revised
    if not is_first:
        return

    def send(_: Session) -> None:
        revisions = session.info.pop("revised", [])
        for announcer in _announcers:
            try:
                announcer(revisions)
            except Exception as error:  # noqa: BLE001 - the poll delivers it
                _log.warning("announcing_revisions_failed", error=repr(error))

    event.listen(session, "after_commit", send, once=True)
    event.listen(session, "after_rollback", lambda _: session.info.pop("revised", None), once=True)


def get_revision(session: ReadSession, kind: str, object_id: str = "") -> int:
    """The current revision; 0 if it never changed."""
    found = session.execute(
        select(Revision.revision).where(Revision.kind == kind, Revision.object_id == object_id)
    ).scalar_one_or_none()
    return found or 0


def list_changes(session: ReadSession, after: int) -> tuple[int, list[Revised]]:
    """Changes since ``after`` and a little before it; the newest sequence first."""
    rows = session.execute(
        select(Change.seq, Change.kind, Change.object_id, Change.revision)
        .where(Change.seq > max(0, after - LOOK_BACK))
        .order_by(Change.seq)
    ).all()
    newest = rows[-1].seq if rows else after
    return max(newest, after), [Revised(r.kind, r.object_id, r.revision) for r in rows]
