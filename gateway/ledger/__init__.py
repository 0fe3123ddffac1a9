"""Money: appending movements, and the checks that all that is derived agrees with them."""

from gateway.ledger.append import append
from gateway.ledger.bulk import insert_new, insert_or_add
from gateway.ledger.compare import Difference
from gateway.ledger.entries import ADJUSTMENT, FINAL, Entry
from gateway.ledger.kept import get_kept_since, keep_since
from gateway.ledger.outbox import PendingEffects, list_pending, mark_applied, reload_allowances
from gateway.ledger.queries import list_abandoned, list_entries
from gateway.ledger.rebuild import Rebuilt, rebuild
from gateway.ledger.sums import FAILED_STATUSES, NIL_ID, ROLLUP_COUNTERS, ROLLUP_KEY, SUMMED
from gateway.ledger.verify import verify

__all__ = [
    "ADJUSTMENT",
    "FAILED_STATUSES",
    "FINAL",
    "NIL_ID",
    "ROLLUP_COUNTERS",
    "ROLLUP_KEY",
    "SUMMED",
    "Difference",
    "Entry",
    "PendingEffects",
    "Rebuilt",
    "append",
    "get_kept_since",
    "insert_new",
    "insert_or_add",
    "keep_since",
    "list_abandoned",
    "list_entries",
    "list_pending",
    "mark_applied",
    "rebuild",
    "reload_allowances",
    "verify",
]
