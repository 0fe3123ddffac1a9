"""Applying the outbox: allowances that no longer agree with the ledger are loaded anew."""

from redis import Redis

from gateway import admission, ledger
from gateway.db import Database

BATCH = 500


def apply_effects(database: Database, client: Redis) -> int:
    """Announce every pending effect; may run twice, an old announcement changes nothing."""
    applied = 0
    while True:
        with database.snapshot() as session:
            pending = ledger.list_pending(session, BATCH)
        if not pending.seqs:
            return applied
        admission.announce(client, pending.revisions)
        with database.transaction() as session:
            ledger.mark_applied(session, pending)
        applied += len(pending.seqs)
