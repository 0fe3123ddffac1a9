"""Marking our keys that their vendors refuse, for an operator to see.

The mark is a note on the row and decides nothing (calls cool a refused key by themselves); the
first good answer takes it away.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select, update

from gateway.db import Session
from models import ProviderKey

REFUSALS = frozenset((401, 402, 403))
MARK = "refused by its vendor with status "
GOOD = "ok"


def mark(session: Session, attempts: Iterable[Mapping[str, Any]]) -> None:
    """Note what these attempts say about the keys that they were made with."""
    refused: dict[str, int] = {}
    answered: set[str] = set()
    for attempt in attempts:
        key_id = attempt["provider_key_id"]
        if attempt["outcome"] == GOOD:
            answered.add(key_id)
            refused.pop(key_id, None)
        elif attempt["http_status"] in REFUSALS and key_id is not None:
            refused[key_id] = attempt["http_status"]
            answered.discard(key_id)
    for key_id, status in refused.items():
        _note(session, key_id, None, f"{MARK}{status}")
    if answered:
        marked = select(ProviderKey.id, ProviderKey.status_reason).where(
            ProviderKey.status_reason.startswith(MARK)
        )
        for key_id, reason in session.execute(marked).all():
            if key_id in answered:
                _note(session, key_id, reason, None)


def _note(session: Session, key_id: str, before: str | None, after: str | None) -> None:
    """Compare and set: what an operator has written there stays."""
    session.execute(
        update(ProviderKey)
        .where(ProviderKey.id == key_id, ProviderKey.status_reason.is_not_distinct_from(before))
        .values(status_reason=after)
    )
