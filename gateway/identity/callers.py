"""The callers this process knows: a bounded memory in front of the database.

Failure policy: a key that memory knows goes on working while the database is away, up to
a bounded age; an unknown one is answered with 503, never with "unknown key".
"""

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

from gateway import clock, crypto
from gateway.db import POLICY, USER, Database, Revised
from gateway.db.database import DatabaseDownError
from gateway.errors import InvalidApiKeyError, OverloadedError
from gateway.identity.queries import find_caller
from gateway.identity.views import Caller
from gateway.settings import SnapshotSettings


@dataclass(slots=True)
class _Entry:
    caller: Caller | None
    loaded_at: float
    is_stale: bool = False


class Callers:
    def __init__(self, database: Database, settings: SnapshotSettings) -> None:
        self._database = database
        self._settings = settings
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._by_user: defaultdict[str, set[str]] = defaultdict(set)
        self._loads: dict[str, asyncio.Task[_Entry]] = {}

    async def get(self, api_key: str) -> Caller:
        """The caller behind a key as presented; raises InvalidApiKeyError."""
        key_hash = crypto.hash_key(api_key)
        entry = self._entries.get(key_hash)
        if entry is None or not self._is_fresh(entry):
            entry = await self._load(key_hash, entry)
        if entry.caller is None:
            raise InvalidApiKeyError("Unknown API key.")
        return entry.caller

    def _is_fresh(self, entry: _Entry) -> bool:
        if entry.is_stale:
            return False
        if entry.caller is None:
            return clock.monotonic() - entry.loaded_at < self._settings.negative_seconds
        return clock.monotonic() - entry.loaded_at < self._settings.max_age_seconds

    async def _load(self, key_hash: str, known: _Entry | None) -> _Entry:
        """Calls with one key that come at once share one question to the database."""
        running = self._loads.get(key_hash)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._load_now(key_hash, known))
            self._loads[key_hash] = running
            running.add_done_callback(lambda _: self._loads.pop(key_hash, None))
        return await asyncio.shield(running)

    async def _load_now(self, key_hash: str, known: _Entry | None) -> _Entry:
        try:
            caller = await self._database.read(find_caller, key_hash)
        except (DatabaseDownError, OverloadedError):
            if known is not None and known.caller is not None and self._may_serve(known):
                return known
            raise
        entry = _Entry(caller, clock.monotonic())
        self._remember(key_hash, entry)
        return entry

    def _may_serve(self, entry: _Entry) -> bool:
        return (
            not entry.is_stale
            and clock.monotonic() - entry.loaded_at < 2 * self._settings.max_age_seconds
        )

    def _remember(self, key_hash: str, entry: _Entry) -> None:
        self._entries[key_hash] = entry
        self._entries.move_to_end(key_hash)
        if entry.caller is not None:
            self._by_user[entry.caller.user_id].add(key_hash)
        while len(self._entries) > self._settings.max_keys:
            self._drop(*self._entries.popitem(last=False))

    def _drop(self, key_hash: str, entry: _Entry) -> None:
        if entry.caller is not None:
            keys = self._by_user[entry.caller.user_id]
            keys.discard(key_hash)
            if not keys:
                del self._by_user[entry.caller.user_id]

    def refresh(self, caller: Caller) -> None:
        """Admission said that this snapshot is stale: ask the database next time."""
        for key_hash in self._by_user.get(caller.user_id, ()):
            self._entries[key_hash].is_stale = True

    def apply(self, revisions: list[Revised]) -> None:
        """Make the snapshots older than these revisions stale."""
        policies = {r.object_id: r.revision for r in revisions if r.kind == POLICY}
        for revised in revisions:
            if revised.kind == USER:
                for key_hash in self._by_user.get(revised.object_id, ()):
                    entry = self._entries[key_hash]
                    if entry.caller is not None and entry.caller.revision < revised.revision:
                        entry.is_stale = True
        if policies:
            for entry in self._entries.values():
                policy = entry.caller.policy if entry.caller else None
                if policy is not None and policy.revision < policies.get(policy.id, 0):
                    entry.is_stale = True
