"""``used`` and ``lifetime_used`` of users, apps and keys: sums of the ledger, kept up to date."""

from collections import defaultdict
from collections.abc import Iterable

from gateway.db import Session
from gateway.ledger import bulk
from gateway.ledger.entries import Entry
from models import ApiKey, App, EntryKind, EntryLevel, User

# Setting an allowance back or enlarging it is no consumption.
NOT_CONSUMPTION = (EntryKind.RESET, EntryKind.GRANT)

COUNTERS = ("used_nanos", "lifetime_used_nanos")

LEVELS = (
    (User, "user_id", (EntryLevel.ALL, EntryLevel.USER)),
    (App, "app_id", (EntryLevel.ALL, EntryLevel.APP)),
    (ApiKey, "api_key_id", (EntryLevel.ALL, EntryLevel.API_KEY)),
)


def move(session: Session, entries: Iterable[Entry]) -> None:
    """Add new entries to the projections of everyone they are about."""
    moving = [entry for entry in entries if entry.amount_nanos]
    for owner, column, levels in LEVELS:
        used: dict[str, int] = defaultdict(int)
        lifetime: dict[str, int] = defaultdict(int)
        for entry in moving:
            owner_id = getattr(entry, column)
            if owner_id is not None and entry.level in levels:
                used[owner_id] += entry.amount_nanos
                if entry.kind not in NOT_CONSUMPTION:
                    lifetime[owner_id] += entry.amount_nanos
        rows = [
            {
                "id": owner_id,
                "used_nanos": used[owner_id],
                "lifetime_used_nanos": lifetime[owner_id],
            }
            for owner_id in sorted(used)
        ]
        if rows:
            bulk.add(session, owner, rows, COUNTERS)
