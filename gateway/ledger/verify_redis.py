"""Verification of Redis: in an idle system what is available is the limit minus what was used."""

from collections.abc import Iterator, Mapping

from redis import Redis
from sqlalchemy import select

from gateway.cache import keys
from gateway.db import Database, ReadSession
from gateway.ledger.compare import Difference
from models import ApiKey, App, User

UNLIMITED = "inf"
SCAN_COUNT = 500
CHECK = "allowance in Redis"


def wrong_allowances(database: Database, client: Redis) -> list[Difference]:
    """Loaded allowances that are not what the database says; nothing while calls are open."""
    if not _is_idle(client):
        return []
    found = []
    for user_id in _loaded_users(client):
        loaded: dict[bytes, bytes] = client.hgetall(keys.allowance(user_id))  # type: ignore[assignment]
        with database.snapshot() as session:
            expected = _available(session, user_id)
        found += _compare(user_id, expected, {k.decode(): v.decode() for k, v in loaded.items()})
    return found if _is_idle(client) else []


def _is_idle(client: Redis) -> bool:
    """Nothing waits for the drain and no hold is open."""
    return not client.xlen(keys.STREAM) and not client.zcard(keys.HOLDS)


def _loaded_users(client: Redis) -> Iterator[str]:
    prefix = keys.allowance("")
    for name in client.scan_iter(match=f"{prefix}*", count=SCAN_COUNT):
        yield name.decode().removeprefix(prefix)


def _available(session: ReadSession, user_id: str) -> dict[str, str]:
    available = {}
    for owner, owned_by, prefix in (
        (User, User.id, ""),
        (App, App.user_id, "a:"),
        (ApiKey, ApiKey.user_id, "k:"),
    ):
        rows = session.execute(
            select(owner.id, owner.limit_nanos, owner.used_nanos).where(owned_by == user_id)
        )
        for row in rows:
            left = UNLIMITED if row.limit_nanos is None else str(row.limit_nanos - row.used_nanos)
            available[f"{prefix}{row.id}" if prefix else "u"] = left
    return available


def _compare(
    user_id: str, expected: Mapping[str, str], loaded: Mapping[str, str]
) -> list[Difference]:
    return [
        Difference(CHECK, f"{user_id} {field}", expected.get(field, "nothing"), value)
        for field, value in loaded.items()
        if expected.get(field) != value
    ]
