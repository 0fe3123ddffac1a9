"""What can break: each fault breaks one thing, waits until it shows, and mends it."""

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Generator

import psycopg2
from sqlalchemy.engine import make_url

from tests.faults.load import Load
from tests.stack import Stack

SHOWS_SECONDS = 10
# How long something stays away after it has shown; longer than a lease in some of the runs.
AWAY_SECONDS = (0.2, 1.0, 3.0)


class World:
    """A running gateway under load, and dice."""

    def __init__(self, stack: Stack, load: Load, seed: int) -> None:
        self.stack = stack
        self.load = load
        self.dice = random.Random(seed)  # noqa: S311
        self.broken: set[str] = set()
        self.paused: set[str] = set()

    def linger(self) -> None:
        """The load goes on meanwhile; that is what is waited for."""
        time.sleep(self.dice.choice(AWAY_SECONDS))

    def wait_refused(self) -> None:
        """Until somebody is refused who came after now."""
        since = time.time()
        self.stack.wait_for(
            lambda: any(o.status == 503 and o.started > since for o in self.load.outcomes()),
            SHOWS_SECONDS,
        )

    def wait_served(self) -> None:
        """Until every API process serves again, without anybody's help."""
        for number in range(len(self.stack.apis)):
            with self.stack.http(api=number) as client:
                self.stack.wait_for(lambda: client.get("/v1/models").status_code == 200, 20)


def redis_paused(world: World) -> None:
    world.stack.redis.pause()
    try:
        world.wait_refused()
        world.linger()
    finally:
        world.stack.redis.resume()


def redis_stopped(world: World) -> None:
    world.stack.redis.stop()
    world.wait_refused()
    world.linger()
    world.stack.redis.start()


def redis_killed(world: World) -> None:
    world.stack.redis.kill()
    world.wait_refused()
    world.linger()
    world.stack.redis.start()


def redis_killed_for_a_moment(world: World) -> None:
    world.stack.redis.kill()
    world.stack.redis.start()


def redis_flushed(world: World) -> None:
    world.stack.redis.flushall()


def redis_restarted_empty(world: World) -> None:
    world.stack.redis.kill()
    world.stack.redis.start(empty=True)


def database_stopped(world: World) -> None:
    with denied(world.stack.environment["SLUICE_DATABASE_URL"]):
        world.linger()


def database_locked(world: World) -> None:
    """Another program writes into the file and takes its time."""
    path = make_url(world.stack.environment["SLUICE_DATABASE_URL"]).database
    assert path
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        world.linger()
        other.execute("ROLLBACK")


def api_killed(world: World) -> None:
    number = world.dice.randrange(len(world.stack.apis))
    old = world.stack.apis[number]
    world.broken.add(old.url)
    old.kill()
    world.linger()
    world.stack.apis[number] = world.stack.add_api(old.port)
    world.stack.apis.pop()


def api_paused(world: World) -> None:
    """Longer than its leases: its calls are given up for dead, and settle late."""
    api = world.dice.choice(world.stack.apis)
    world.paused.add(api.url)
    api.pause()
    time.sleep(3)
    api.resume()


def worker_killed(world: World) -> None:
    for process in world.stack.others:
        process.kill()
    world.stack.others.clear()
    world.linger()
    world.stack.add_worker()


@contextlib.contextmanager
def denied(url: str) -> Generator[None]:
    """As if the server were stopped, for one database of it."""
    database = make_url(url).database
    server = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    with contextlib.closing(psycopg2.connect(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            cursor.execute(query, (database,))
            try:
                yield
            finally:
                cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


Fault = Callable[[World], None]
EVERYWHERE: tuple[Fault, ...] = (
    redis_paused,
    redis_stopped,
    redis_killed,
    redis_killed_for_a_moment,
    redis_flushed,
    redis_restarted_empty,
    api_killed,
    api_paused,
    worker_killed,
)
SQLITE: tuple[Fault, ...] = (*EVERYWHERE, database_locked)
POSTGRES: tuple[Fault, ...] = (*EVERYWHERE, database_stopped)
