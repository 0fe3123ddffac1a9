"""Leases of periodic work, and beats that ring for it."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway import clock
from gateway.cache import connect, keys
from gateway.db import Database
from gateway.queue import run_tick
from gateway.settings import DatabaseSettings
from models import Tick
from tests.integration.processes import environment, running, wait_until
from tests.servers.redis import RedisServer


def read_tick(database: Database, name: str = "work") -> Tick:
    with database.snapshot() as session:
        return session.scalars(select(Tick).where(Tick.name == name)).one()


def nothing() -> None:
    """Work that is done at once."""


def test_of_many_that_hear_the_bell_at_once_one_works(database: Database) -> None:
    worked: list[int] = []
    together = threading.Barrier(8)

    def hear(number: int) -> bool:
        together.wait()
        return run_tick(database, "work", 60, lambda: worked.append(number))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(hear, range(8)))
    assert (sum(answers), len(worked)) == (1, 1)
    assert read_tick(database).fence == 1


def test_a_tick_is_not_due_again_before_its_period(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now()
    due = []
    for seconds in (0, 1, 5, 9.9, 10.5, 15, 20.2, 300, 301, 310):
        now = start + dt.timedelta(seconds=seconds)
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        if run_tick(database, "work", 10, nothing):
            due.append(seconds)
    assert due == [0, 9.9, 20.2, 300, 310]


def test_while_the_work_of_a_tick_goes_on_the_next_bell_does_nothing(database: Database) -> None:
    inner: list[bool] = []

    def slow() -> None:
        with database.transaction() as session:
            session.execute(update(Tick).values(next_run_at=clock.now()))
        inner.append(run_tick(database, "work", 0.01, nothing))

    assert run_tick(database, "work", 0.01, slow)
    assert inner == [False]


def test_the_work_of_a_dead_owner_is_taken_over_after_its_lease(database: Database) -> None:
    class KilledError(BaseException):
        """Ends the owner without a trace."""

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        run_tick(database, "work", 0.01, die, lease_seconds=0.3)
    assert not run_tick(database, "work", 0.01, nothing)
    wait_until(lambda: run_tick(database, "work", 0.01, nothing), 5)


def test_an_owner_that_outlived_its_lease_does_not_end_that_of_the_next(database: Database) -> None:
    def slow() -> None:
        with database.transaction() as session:
            session.execute(
                update(Tick).values(
                    fence=Tick.fence + 1, lease_until=clock.now() + dt.timedelta(seconds=60)
                )
            )

    run_tick(database, "work", 0.01, slow)
    assert read_tick(database).lease_until > clock.now()


def test_an_error_is_recorded_raised_and_forgotten_after_a_success(database: Database) -> None:
    def fail() -> None:
        message = "no luck"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no luck"):
        run_tick(database, "work", 0.01, fail)
    tick = read_tick(database)
    assert (tick.last_error, tick.last_finished_at) == ("ValueError('no luck')", None)
    wait_until(lambda: run_tick(database, "work", 0.01, nothing), 5)
    assert read_tick(database).last_error is None


def test_two_beats_make_a_tick_run_once_per_period(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(sqlite_url, redis_server, state_dir)
    database = Database.connect(sqlite_url, DatabaseSettings(), "tests")
    log = state_dir / "log"
    with (
        running(["-m", "workers"], env, log),
        running(["-m", "beat"], env, log),
        running(["-m", "beat"], env, log),
    ):
        wait_until(lambda: _fence(database, "ledger.drain") > 1, 20, log)
        before, started = _fence(database, "ledger.drain"), clock.monotonic()
        wait_until(lambda: _fence(database, "ledger.drain") >= before + 8, 20, log)
        seconds = clock.monotonic() - started
    # The period is half a second; one beat alone rings as often as that.
    assert seconds > 8 * 0.5 * 0.8
    database.close()


def test_bells_that_nobody_hears_do_not_pile_up(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(sqlite_url, redis_server, state_dir) | {"SLUICE_DRAIN__TICK_SECONDS": "0.001"}
    log = state_dir / "log"
    queue = f"{keys.BROKER_PREFIX}maintenance"
    with connect(redis_server.url) as client, running(["-m", "beat"], env, log):
        wait_until(lambda: "no_worker_reads_queue" in log.read_text(), 20, log)
        assert client.llen(queue) == 100
    assert log.read_text().count("no_worker_reads_queue") == 1


def test_a_beat_outlives_redis_logs_the_change_only_and_stops_promptly(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    env = environment(sqlite_url, redis_server, state_dir)
    log = state_dir / "log"
    queue = f"{keys.BROKER_PREFIX}maintenance"
    with running(["-m", "beat"], env, log) as beat:
        wait_until(lambda: _length(redis_server, queue) > 0, 20, log)
        redis_server.kill()
        wait_until(lambda: "ringing_fails" in log.read_text(), 20, log)
        threading.Event().wait(2.5)
        redis_server.start(empty=True)
        wait_until(lambda: "ringing_works_again" in log.read_text(), 20, log)
        assert _length(redis_server, queue) > 0
        redis_server.pause()
        threading.Event().wait(1)
        beat.terminate()
        assert beat.wait(timeout=6) == 0
        redis_server.resume()
    text = log.read_text()
    assert text.count("ringing_works_again") == 1
    assert text.count("ringing_fails") in (1, 2)  # the second for the frozen Redis


def _length(redis_server: RedisServer, queue: str) -> int:
    with redis_server.client() as client:
        return int(client.llen(queue))


def _fence(database: Database, name: str) -> int:
    with database.snapshot() as session:
        return session.scalar(select(Tick.fence).where(Tick.name == name)) or 0
