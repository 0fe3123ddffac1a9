"""The database of one process: its threads, its transactions, a server that is frozen."""

import asyncio
import os
import signal

import pytest
from sqlalchemy import text

from gateway.db import Database, ReadSession, Session, mark_changed
from gateway.db.database import DatabaseDownError
from gateway.db.revisions import get_revision
from gateway.errors import OverloadedError
from gateway.settings import DatabaseSettings

IMPATIENT = DatabaseSettings(pool_size=1, max_waiting=2, statement_timeout_seconds=1)


async def test_a_unit_commits_and_another_sees_it(database: Database) -> None:
    await database.run(mark_changed, "user", "somebody")
    assert await database.read(get_revision, "user", "somebody") == 1


async def test_a_unit_that_raises_leaves_nothing(database: Database) -> None:
    def work(session: Session) -> None:
        mark_changed(session, "user", "somebody")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.run(work)
    assert await database.read(get_revision, "user", "somebody") == 0
    assert database.in_use() == 0


async def test_a_crowd_is_turned_away_instead_of_piling_up(sqlite_url: str) -> None:
    database = Database.connect(sqlite_url, IMPATIENT, "test")
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_: ReadSession) -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    waiting = [asyncio.create_task(database.read(wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await database.read(get_revision, "user")
    release.set()
    await asyncio.gather(*waiting)
    database.close()


async def test_a_frozen_server_is_down_and_not_waited_for(postgres_url: str) -> None:
    database = Database.connect(postgres_url, IMPATIENT, "frozen")

    def own_backend(session: ReadSession) -> int:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())

    backend = await database.read(own_backend)
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseDownError):
            await database.read(get_revision, "user")
    finally:
        os.kill(backend, signal.SIGCONT)
    database.close()
