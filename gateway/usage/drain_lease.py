"""Who may drain: one row, taken by compare-and-set; its fence is checked with every batch."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock
from gateway.db import ReadSession, Session
from gateway.usage.drain_stream import BEGINNING
from models import DrainState

NAME = "settlements"
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class LeaseLostError(Exception):
    """Somebody else drains now, or Redis was filled anew; nothing of the batch is written."""


@dataclass(frozen=True, slots=True)
class Lease:
    fence: int
    epoch: str
    watermark: str
    seconds: float


def take(session: Session, owner: str, epoch: str, seconds: float) -> Lease | None:
    """The lease, if nobody else has it; in a new epoch the stream is read from its beginning."""
    now = clock.now()
    _create(session)
    taken = session.execute(
        update(DrainState)
        .where(
            DrainState.name == NAME,
            or_(DrainState.lease_until <= now, DrainState.owner == owner),
        )
        .values(
            fence=DrainState.fence + 1,
            owner=owner,
            lease_until=now + dt.timedelta(seconds=seconds),
            updated_at=now,
        )
        .returning(DrainState.fence, DrainState.epoch, DrainState.watermark)
    ).one_or_none()
    if taken is None:
        return None
    if taken.epoch == epoch:
        return Lease(taken.fence, epoch, taken.watermark, seconds)
    session.execute(
        update(DrainState).where(DrainState.name == NAME).values(epoch=epoch, watermark=BEGINNING)
    )
    return Lease(taken.fence, epoch, BEGINNING, seconds)


def _create(session: Session) -> None:
    if session.scalar(select(DrainState.name).where(DrainState.name == NAME)):
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(DrainState)
        .values(
            name=NAME,
            epoch="",
            watermark=BEGINNING,
            fence=0,
            owner="",
            lease_until=LONG_AGO,
            updated_at=clock.now(),
        )
        .on_conflict_do_nothing()
    )


def advance(session: Session, lease: Lease, watermark: str) -> None:
    """Move the watermark with the batch and stay the owner, or raise LeaseLostError."""
    now = clock.now()
    moved = session.execute(
        update(DrainState)
        .where(
            DrainState.name == NAME,
            DrainState.fence == lease.fence,
            DrainState.epoch == lease.epoch,
        )
        .values(
            watermark=watermark,
            lease_until=now + dt.timedelta(seconds=lease.seconds),
            updated_at=now,
        )
        .returning(DrainState.fence)
    ).scalar_one_or_none()
    if moved is None:
        raise LeaseLostError


def release(session: Session, lease: Lease) -> None:
    """Let the next one drain at once."""
    session.execute(
        update(DrainState)
        .where(DrainState.name == NAME, DrainState.fence == lease.fence)
        .values(lease_until=LONG_AGO)
    )


def find_watermark(session: ReadSession, epoch: str) -> str:
    """Up to where this filling of the stream is in the ledger."""
    found = session.scalar(
        select(DrainState.watermark).where(DrainState.name == NAME, DrainState.epoch == epoch)
    )
    return found or BEGINNING
