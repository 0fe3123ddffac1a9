"""The drain: moves the settlement stream into the ledger, each entry exactly once.

The watermark moves in the transaction that writes the batch, so a drain that dies at any
point has either written a batch or not; the stream is trimmed only afterwards. An entry
that cannot be read or written is put aside, and never stops the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis import Redis
from sqlalchemy.exc import DataError, DBAPIError, StatementError

from gateway import admission, clock, log
from gateway.db import Database
from gateway.settings import DrainSettings
from gateway.usage import drain_batch, drain_lease, drain_stream
from gateway.usage.drain_lease import Lease, LeaseLostError
from gateway.usage.drain_stream import StreamEvent

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one run did; ``remaining`` entries are left for the next."""

    count: int
    watermark: str
    remaining: int


NOTHING = Drained(count=0, watermark=drain_stream.BEGINNING, remaining=0)


def drain_once(database: Database, client: Redis, settings: DrainSettings, owner: str) -> Drained:
    """Drain until the stream is empty or the lease's time is used up.

    ``owner`` names this run: a second run of the same owner takes the lease from the first.
    """
    epoch = drain_stream.find_epoch(client)
    waiting = drain_stream.remaining(client)
    if epoch is None or not waiting:
        return NOTHING
    with database.transaction() as session:
        lease = drain_lease.take(session, owner, epoch, settings.lease_seconds)
    if lease is None:
        return replace(NOTHING, remaining=waiting)
    try:
        count, lease = _drain(database, client, settings, lease)
    except LeaseLostError:
        _log.warning("drain_lease_lost", owner=owner)
        return replace(NOTHING, remaining=waiting)
    with database.transaction() as session:
        drain_lease.release(session, lease)
    return Drained(count, lease.watermark, drain_stream.remaining(client))


def _drain(
    database: Database, client: Redis, settings: DrainSettings, lease: Lease
) -> tuple[int, Lease]:
    # The run before may have died between its commit and this.
    admission.trim(client, lease.watermark)
    ends = clock.monotonic() + settings.lease_seconds
    count = 0
    while clock.monotonic() < ends:
        batch = drain_stream.read(client, lease.watermark, settings.batch)
        if batch.epoch != lease.epoch:
            raise LeaseLostError
        if batch.last_id == lease.watermark:
            break
        _write(database, client, lease, batch.events, batch.last_id)
        lease = replace(lease, watermark=batch.last_id)
        admission.trim(client, lease.watermark)
        count += len(batch.events)
    return count, lease


def _write(
    database: Database, client: Redis, lease: Lease, events: Sequence[StreamEvent], watermark: str
) -> None:
    """Write a batch; if the database refuses a value in it, find the entry that has it."""
    try:
        with database.transaction() as session:
            drain_batch.write(session, lease, events, watermark)
    except (StatementError, ValueError, OverflowError) as error:
        if not events or not _is_about_a_value(error):
            raise
        if len(events) == 1:
            drain_stream.put_event_aside(client, events[0], error)
            _write(database, client, lease, [], watermark)
            return
        half = len(events) // 2
        _write(database, client, lease, events[:half], events[half - 1].id)
        _write(database, client, lease, events[half:], watermark)


def _is_about_a_value(error: Exception) -> bool:
    """Anything else (a missing table, say) is wrong with the database, not with an entry."""
    return isinstance(error, DataError) or not isinstance(error, DBAPIError)
