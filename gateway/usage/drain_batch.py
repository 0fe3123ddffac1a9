"""One batch of the stream: ledger, records, rollups, projections, watermark; all or nothing."""

from collections.abc import Iterable, Sequence

from gateway import ids, ledger
from gateway.db import Session
from gateway.usage import drain_lease, records, refused_keys, rollups
from gateway.usage.drain_stream import StreamEvent
from models import Basis, EntryKind


def write(
    session: Session, lease: drain_lease.Lease, events: Sequence[StreamEvent], watermark: str
) -> None:
    """The first entry of a reference counts; a later one at most corrects an abandoned one."""
    drain_lease.advance(session, lease, watermark)
    firsts = {event.reference: event for event in reversed(events)}
    new = ledger.append(session, [_final_entry(firsts[r]) for r in sorted(firsts)])
    written = [event for event in firsts.values() if event.reference in new]
    known = [
        event
        for event in events
        if event.reference not in new or event is not firsts[event.reference]
    ]
    deltas = rollups.Deltas()
    _write_records(session, written, deltas)
    disagreeing = _correct(session, known, deltas)
    deltas.write(session)
    # Redis agrees by itself with a new entry it has felt, and an ignored one it has not.
    disagreeing |= {event.hold.user_id for event in written if event.late}
    disagreeing |= {event.hold.user_id for event in known if not event.late}
    ledger.reload_allowances(session, disagreeing, "settled late or twice")


def _write_records(session: Session, events: Sequence[StreamEvent], deltas: rollups.Deltas) -> None:
    requests = [records.build_request(event) for event in events]
    attempts = [row for event in events for row in records.build_attempts(event)]
    records.insert(session, requests, attempts)
    refused_keys.mark(session, attempts)
    deltas.add(requests)


def _correct(session: Session, known: Iterable[StreamEvent], deltas: rollups.Deltas) -> set[str]:
    """Real settlements of calls that were given up for dead; the users whose ledger moved."""
    arrived: dict[str, StreamEvent] = {}
    for event in known:
        if event.settlement is not None:
            arrived.setdefault(event.reference, event)
    if not arrived:
        return set()
    abandoned = ledger.list_abandoned(session, sorted(arrived))
    corrected = ledger.append(
        session, [_adjustment(arrived[r], abandoned[r]) for r in sorted(abandoned)]
    )
    for reference in corrected:
        request = records.build_request(arrived[reference])
        old = records.replace(session, request)
        if old is not None:
            records.insert(session, [], records.build_attempts(arrived[reference]))
            deltas.add([old], sign=-1)
            deltas.add([request])
    return {arrived[reference].hold.user_id for reference in corrected}


def _final_entry(event: StreamEvent) -> ledger.Entry:
    kind = EntryKind.ABANDONED if event.settlement is None else event.settlement.kind
    return _entry(event, ledger.FINAL, kind, event.amount_nanos)


def _adjustment(event: StreamEvent, abandoned_nanos: int) -> ledger.Entry:
    missing_nanos = event.amount_nanos - abandoned_nanos
    return _entry(event, ledger.ADJUSTMENT, EntryKind.ADJUSTMENT, missing_nanos)


def _entry(event: StreamEvent, slot: str, kind: str, amount_nanos: int) -> ledger.Entry:
    hold, settlement = event.hold, event.settlement
    return ledger.Entry(
        id=ids.new_uuid(),
        # The same time as the record's, so that either can be found from the other.
        created_at=records.at(hold.started_ms),
        reference=hold.reference,
        slot=slot,
        kind=kind,
        user_id=hold.user_id,
        app_id=hold.app_id,
        api_key_id=hold.api_key_id,
        amount_nanos=amount_nanos,
        model_id=hold.model_id,
        overrun_nanos=settlement.overrun_nanos if settlement else 0,
        held_nanos=hold.held_nanos,
        price_version_id=hold.price_version_id,
        usage=settlement.usage if settlement else (),
        disconnect_policy=settlement.disconnect_policy if settlement else None,
        basis=settlement.basis if settlement else Basis.NONE,
        # A correction does not tell by its kind whether the call was charged or released.
        note=settlement.kind if settlement and kind == EntryKind.ADJUSTMENT else "",
    )
