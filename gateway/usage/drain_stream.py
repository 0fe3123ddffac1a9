"""The settlement stream as the drain sees it: reading, decoding, dead letters."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from redis import Redis

from gateway import log
from gateway.admission import events
from gateway.admission.events import HoldInfo, Settlement
from gateway.cache import keys
from models import EntryKind

MAX_DEAD_LETTERS = 10_000
BEGINNING = "0-0"

RawEntry = tuple[bytes, Mapping[bytes, bytes]]

_log = log.get(__name__)


class PoisonError(Exception):
    """An entry that nobody can read."""


class StreamEvent(msgspec.Struct, frozen=True):
    """One entry of the stream: a settlement, or a hold whose owner died."""

    id: str
    late: bool
    hold: HoldInfo
    settlement: Settlement | None
    amount_nanos: int

    @property
    def reference(self) -> str:
        return self.hold.reference


class Batch(NamedTuple):
    epoch: str
    last_id: str
    events: list[StreamEvent]


def find_epoch(client: Redis) -> str | None:
    """Which filling of Redis this is; none while it is empty and not yet rebuilt."""
    epoch = client.get(keys.EPOCH)
    return epoch.decode() if epoch else None  # type: ignore[union-attr]


def remaining(client: Redis) -> int:
    return int(client.xlen(keys.STREAM))


def read(client: Redis, after: str, count: int) -> Batch:
    """The next entries after an id; what cannot be read is put aside as a dead letter."""
    pipeline = client.pipeline(transaction=True)
    pipeline.get(keys.EPOCH)
    pipeline.xrange(keys.STREAM, min=f"({after}", count=count)
    epoch, entries = pipeline.execute()
    decoded = []
    for entry_id, fields in entries:
        try:
            decoded.append(decode(entry_id.decode(), fields))
        except PoisonError as error:
            put_aside(client, entry_id.decode(), fields, error)
    last_id = entries[-1][0].decode() if entries else after
    return Batch((epoch or b"").decode(), last_id, decoded)


def decode(entry_id: str, fields: Mapping[bytes, bytes]) -> StreamEvent:
    """Raises PoisonError for anything that is not what settling and sweeping write."""
    try:
        late = fields[events.LATE] == b"1"
        # PostgreSQL keeps no NUL in text; one in a header must not cost the record.
        packed = fields[events.EVENT].replace(b"\\u0000", b"\\ufffd")
        if fields[events.KIND] == events.ABANDON:
            hold = events.decode_hold(packed)
            amount = int(fields[events.AMOUNT])
            return StreamEvent(entry_id, late, hold, None, amount)
        settlement = events.decode_settlement(packed)
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise PoisonError(repr(error)) from error
    if settlement.kind not in (EntryKind.CHARGE, EntryKind.RELEASE) or settlement.amount_nanos < 0:
        raise PoisonError(f"a settlement is no {settlement.kind} of {settlement.amount_nanos}")
    return StreamEvent(entry_id, late, settlement.hold, settlement, settlement.amount_nanos)


def put_aside(
    client: Redis, entry_id: str, fields: Mapping[bytes, bytes], error: Exception
) -> None:
    """Keep an entry that cannot be written for a person to look at; the newest are kept."""
    _log.error("settlement_put_aside", entry=entry_id, error=repr(error))
    kept = {**fields, b"id": entry_id, b"error": repr(error)[:500]}
    client.xadd(keys.DEAD_LETTERS, kept, maxlen=MAX_DEAD_LETTERS, approximate=False)  # type: ignore[arg-type]


def put_event_aside(client: Redis, event: StreamEvent, error: Exception) -> None:
    """The same for an entry that could be read but that the database refuses."""
    settled = event.settlement is not None
    fields = {
        events.KIND: events.SETTLE if settled else events.ABANDON,
        events.LATE: b"1" if event.late else b"0",
        events.AMOUNT: str(event.amount_nanos).encode(),
        events.EVENT: events.encode(event.settlement if settled else event.hold),
    }
    put_aside(client, event.id, fields, error)
