"""The outbox of allowances: whose allowance in Redis has to be loaded anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from gateway import clock
from gateway.db import USER, ReadSession, Revised, Session, mark_all_changed
from models import AllowanceEffect, Revision


@dataclass(frozen=True, slots=True)
class PendingEffects:
    """Effects and the revisions that announce them."""

    seqs: Sequence[int]
    revisions: Sequence[Revised]


def reload_allowances(session: Session, user_ids: Iterable[str], reason: str) -> None:
    """Redis no longer agrees with the ledger about these users."""
    now = clock.now()
    users = sorted(user_ids)
    effects = [{"user_id": user, "reason": reason, "created_at": now} for user in users]
    if effects:
        session.execute(insert(AllowanceEffect), effects)
        mark_all_changed(session, USER, users)


def list_pending(session: ReadSession, limit: int) -> PendingEffects:
    """The oldest effects that nobody has confirmed yet."""
    rows = session.execute(
        select(AllowanceEffect.seq, AllowanceEffect.user_id)
        .where(AllowanceEffect.applied_at.is_(None))
        .order_by(AllowanceEffect.seq)
        .limit(limit)
    ).all()
    revisions = session.execute(
        select(Revision.object_id, Revision.revision).where(
            Revision.kind == USER, Revision.object_id.in_({row.user_id for row in rows})
        )
    ).all()
    return PendingEffects(
        [row.seq for row in rows], [Revised(USER, r.object_id, r.revision) for r in revisions]
    )


def mark_applied(session: Session, pending: PendingEffects) -> None:
    """Confirm exactly these; one that was committed meanwhile has a newer revision."""
    session.execute(
        update(AllowanceEffect)
        .where(AllowanceEffect.seq.in_(pending.seqs), AllowanceEffect.applied_at.is_(None))
        .values(applied_at=clock.now())
    )
