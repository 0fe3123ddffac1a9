"""What the books say about one call."""

from models import LedgerEntry, RequestRecord
from tests.stack.stack import Stack


def wait_for_settled(stack: Stack, reference: str) -> tuple[RequestRecord, LedgerEntry]:
    """The one record and the one entry of a call, once they are written."""
    found: list[RequestRecord] = []

    def is_written() -> bool:
        stack.drain()
        found[:] = [record for record in stack.requests() if record.id == reference]
        return bool(found)

    stack.wait_for(is_written)
    (record,) = found
    (entry,) = [entry for entry in stack.entries() if entry.reference == reference]
    assert entry.slot == "final"
    assert entry.amount_nanos == record.charge_nanos
    return record, entry
