"""The catalog this process knows, read anew when its revision has moved on."""

import asyncio

from gateway import clock
from gateway.catalog.queries import load_catalog
from gateway.catalog.views import Catalog
from gateway.crypto import Sealer
from gateway.db import CATALOG, Database, Revised
from gateway.db.database import DatabaseDownError
from gateway.errors import OverloadedError
from gateway.settings import SnapshotSettings

RETRY_SECONDS = 1.0


class Catalogs:
    def __init__(self, database: Database, sealer: Sealer, settings: SnapshotSettings) -> None:
        self._database = database
        self._sealer = sealer
        self._settings = settings
        self._current: Catalog | None = None
        self._loaded_at = 0.0
        self._retry_at = 0.0
        self._is_stale = False
        self._lock = asyncio.Lock()

    async def get(self) -> Catalog:
        """The current catalog; raises DatabaseDownError if it was never read.

        While the database cannot be asked, an old one is served: admission knows its
        revision, and refuses it if it has been overtaken.
        """
        if self._current is not None and not self._is_due():
            return self._current
        async with self._lock:
            if self._current is None or self._is_due():
                await self._load()
        assert self._current is not None  # noqa: S101 - _load raises otherwise
        return self._current

    def _is_due(self) -> bool:
        now = clock.monotonic()
        is_old = now - self._loaded_at > self._settings.max_age_seconds
        return (self._is_stale or is_old) and now >= self._retry_at

    async def _load(self) -> None:
        self._is_stale = False
        try:
            self._current = await self._database.read(load_catalog, self._sealer.open)
        except (DatabaseDownError, OverloadedError):
            self._is_stale = True
            # Calls must not queue up, each with a try of its own.
            self._retry_at = clock.monotonic() + RETRY_SECONDS
            if self._current is None:
                raise
        else:
            self._loaded_at = clock.monotonic()

    def refresh(self) -> None:
        """Admission said that the snapshot is stale: read it again."""
        self._is_stale = True

    def apply(self, revisions: list[Revised]) -> None:
        for revised in revisions:
            current = self._current
            if revised.kind == CATALOG and current and current.revision < revised.revision:
                self._is_stale = True
