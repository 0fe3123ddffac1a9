"""Real worker processes: they tick, they drain, they outlive Redis and stop when told."""

from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import ledger
from gateway.cache import connect
from gateway.db import Database
from gateway.settings import DatabaseSettings
from models import Process, RequestRecord, Tick
from tests.integration.processes import environment, running, wait_until
from tests.integration.settlements import (
    append,
    build_hold,
    build_settlement,
    create_payers,
    settle_fields,
)
from tests.servers.redis import RedisServer


def finished(database: Database) -> set[str]:
    with database.snapshot() as session:
        return set(session.scalars(select(Tick.name).where(Tick.last_finished_at.is_not(None))))


def fence(database: Database, name: str) -> int:
    with database.snapshot() as session:
        return session.scalar(select(Tick.fence).where(Tick.name == name)) or 0


def is_recorded(database: Database, reference: str) -> bool:
    with database.snapshot() as session:
        return (
            session.scalar(select(RequestRecord.id).where(RequestRecord.id == reference))
            is not None
        )


def test_a_worker_does_every_periodic_task_and_drains_what_settles(
    database: Database, database_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(database_url, redis_server, state_dir)
    log = state_dir / "log"
    [payer] = create_payers(database)
    with (
        running(["-m", "workers"], env, log) as worker,
        running(["-m", "beat"], env, log),
        connect(redis_server.url) as client,
    ):
        wanted = {
            "ledger.drain",
            "ledger.apply_effects",
            "ledger.verify",
            "holds.sweep",
            "retention.purge",
            "partitions.ensure",
            "heartbeat:interactive",
            "heartbeat:maintenance",
            "heartbeat:cpu",
        }
        wait_until(lambda: wanted <= finished(database), 30, log)
        settlement = build_settlement(build_hold(payer))
        append(client, [settle_fields(settlement)])
        wait_until(lambda: is_recorded(database, settlement.hold.reference), 30, log)
        assert ledger.verify(database) == []
        with database.snapshot() as session:
            process = session.scalars(select(Process)).one()
        assert (process.kind, process.pid) == ("worker", worker.pid)
        worker.terminate()
        assert worker.wait(timeout=10) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.timeout(400)  # a consumer may notice a dead connection only after a minute
def test_a_worker_consumes_again_after_redis_was_killed_and_emptied(
    database: Database, database_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(database_url, redis_server, state_dir)
    log = state_dir / "log"
    with running(["-m", "workers"], env, log) as worker, running(["-m", "beat"], env, log):
        for _ in range(3):
            before = fence(database, "heartbeat:maintenance")
            wait_until(lambda b=before: fence(database, "heartbeat:maintenance") > b + 1, 90, log)  # type: ignore[misc]
            redis_server.kill()
            redis_server.start(empty=True)
        before = fence(database, "heartbeat:maintenance")
        wait_until(lambda: fence(database, "heartbeat:maintenance") > before + 2, 90, log)
        assert worker.poll() is None


def test_a_group_reads_its_own_queue_only(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(sqlite_url, redis_server, state_dir)
    log = state_dir / "log"
    database = Database.connect(sqlite_url, DatabaseSettings(), "tests")
    arguments = ["-m", "workers", "--group", "cpu", "--threads", "1"]
    with running(arguments, env, log), running(["-m", "beat"], env, log):
        wait_until(lambda: {"ledger.verify", "heartbeat:cpu"} <= finished(database), 30, log)
        assert finished(database) == {"ledger.verify", "heartbeat:cpu"}
    database.close()
