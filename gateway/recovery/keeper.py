"""What every API process does each second: learn of changes, tend its journal, say it lives."""

import asyncio
import os
import socket

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock, log
from gateway.admission import Gate
from gateway.admission.operations import Bump
from gateway.catalog import Catalogs
from gateway.db import Database, ReadSession, Revised, Session
from gateway.db.revisions import list_changes
from gateway.errors import UnavailableError
from gateway.identity import Callers
from gateway.usage import Journal, Settler
from models import Change, DrainState, Process

_log = log.get(__name__)


class Keeper:
    def __init__(
        self,
        database: Database,
        gate: Gate,
        snapshots: tuple[Callers, Catalogs],
        usage: tuple[Journal, Settler],
        process_id: str,
    ) -> None:
        self._database = database
        self._gate = gate
        self._callers, self._catalogs = snapshots
        self._journal, self._settler = usage
        self._process_id = process_id
        self._started_at = clock.now()
        self._seen = 0
        self._known: set[Revised] = set()
        self._unannounced: list[Revised] = []

    async def start(self) -> None:
        """Announce this process and remember from where on changes are news."""
        await self._database.run(self._say_alive)
        self._seen, changes = await self._database.read(list_changes, await self._newest())
        self._known = set(changes)

    async def _newest(self) -> int:
        def newest(session: ReadSession) -> int:
            return session.scalar(select(func.max(Change.seq))) or 0

        return await self._database.read(newest)

    async def run(self, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.step()
            except UnavailableError as error:
                _log.warning("keeper_waits", code=error.code)
            except Exception:  # noqa: BLE001 - the next second is a new chance for everything
                _log.exception("keeper_failed")

    async def step(self) -> None:
        await self._learn_changes()
        await self._database.run(self._say_alive)
        epoch, watermark = await self._database.read(_drained)
        await self._settler.tend(epoch, watermark)

    async def _learn_changes(self) -> None:
        self._seen, changes = await self._database.read(list_changes, self._seen)
        news = [change for change in changes if change not in self._known]
        if news:
            self._known = set(changes)
            self._callers.apply(news)
            self._catalogs.apply(news)
            self._unannounced += news
        if self._unannounced and self._gate.is_open:
            # The announcement after the commit may have been lost; repeating it is harmless.
            bumps = [Bump(r.kind, r.object_id, r.revision) for r in self._unannounced]
            await self._gate.run_many(bumps)
            self._unannounced.clear()

    async def sync_journal(self, every_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every_seconds)
            await loop.run_in_executor(None, self._journal.sync)

    def _say_alive(self, session: Session) -> None:
        insert = (
            postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        )
        now = clock.now()
        session.execute(
            insert(Process)
            .values(
                id=self._process_id,
                kind="api",
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=self._started_at,
                heartbeat_at=now,
            )
            .on_conflict_do_update(index_elements=["id"], set_={"heartbeat_at": now})
        )

    async def stop(self) -> None:
        """Take this process from the list of the living."""

        def forget(session: Session) -> None:
            process = session.get(Process, self._process_id)
            if process is not None:
                session.delete(process)

        await self._database.run(forget)


def _drained(session: ReadSession) -> tuple[str, str]:
    row = session.execute(select(DrainState.epoch, DrainState.watermark)).one_or_none()
    return (row.epoch, row.watermark) if row else ("", "0-0")
