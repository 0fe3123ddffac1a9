"""The engine, the sessions and the threads of one process; the only place that commits."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Concatenate, NewType, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, orm
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from gateway.db.url import normalise_url
from gateway.errors import OverloadedError, UnavailableError
from gateway.settings import DatabaseSettings

ReadSession = NewType("ReadSession", orm.Session)
Session = NewType("Session", ReadSession)
CONNECT_SECONDS = 3
P = ParamSpec("P")
T = TypeVar("T")


class DatabaseDownError(UnavailableError):
    """The database cannot be reached; the unit of work had no effect."""

    code = "temporarily_unavailable"


class Database:
    """One connection per thread and no overflow: the executor is the only queue."""

    def __init__(self, engine: Engine, settings: DatabaseSettings) -> None:
        self.engine = engine
        self.sessions = orm.sessionmaker(engine, expire_on_commit=False)
        self._threads = ThreadPoolExecutor(settings.pool_size, thread_name_prefix="db")
        self._max_waiting = settings.max_waiting
        self._waiting = 0
        # A server that is frozen answers nothing, not even its own time-out.
        self._patience_seconds = settings.statement_timeout_seconds + CONNECT_SECONDS

    @classmethod
    def connect(cls, url: str, settings: DatabaseSettings, name: str) -> "Database":
        """Open a pool; ``name`` tells an operator of PostgreSQL which process this is."""
        parsed = normalise_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = _sqlite_engine(parsed.render_as_string(hide_password=False), settings)
        else:
            engine = _postgres_engine(parsed.render_as_string(hide_password=False), settings, name)
        return cls(engine, settings)

    @property
    def is_postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """Commit when the block ends, roll back when it raises."""
        with _translated(), self.sessions.begin() as session:
            yield Session(ReadSession(session))

    @contextmanager
    def snapshot(self) -> Generator[ReadSession]:
        """Read one consistent state of all tables; nothing is written."""
        with _translated(), self.sessions() as session:
            if self.is_postgres:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            else:
                session.connection(execution_options={"sqlite_begin": "DEFERRED"})
            yield ReadSession(session)

    async def run(
        self, unit: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one unit of work in a thread, in its own transaction."""
        return await self._in_thread(partial(self._write, unit, *args, **kwargs))

    async def read(
        self, unit: Callable[Concatenate[ReadSession, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one read of a consistent snapshot in a thread."""
        return await self._in_thread(partial(self._read, unit, *args, **kwargs))

    def _write(
        self, unit: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self.transaction() as session:
            return unit(session, *args, **kwargs)

    def _read(
        self, unit: Callable[Concatenate[ReadSession, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self.snapshot() as session:
            return unit(session, *args, **kwargs)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._max_waiting:
            raise OverloadedError
        self._waiting += 1
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, copy_context().run, work)
        running.add_done_callback(self._came_back)
        try:
            # A thread cannot be stopped: it goes on, and its unit may still commit.
            return await asyncio.wait_for(asyncio.shield(running), self._patience_seconds)
        except TimeoutError as error:
            raise DatabaseDownError from error

    def _came_back(self, running: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # seen, also where nobody waits any more

    def in_use(self) -> int:
        """Connections checked out at this moment; 0 while a stream is open."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self.engine.dispose()


@contextmanager
def _translated() -> Generator[None]:
    """A lost or refused connection is an operational state, not a bug."""
    try:
        yield
    except PoolTimeoutError as error:
        raise OverloadedError from error
    except OperationalError as error:
        raise DatabaseDownError from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseDownError from error
        raise


def _postgres_engine(url: str, settings: DatabaseSettings, name: str) -> Engine:
    return create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        hide_parameters=True,  # they would stand in tracebacks
        pool_timeout=settings.statement_timeout_seconds,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 10,
            "tcp_user_timeout": int((settings.statement_timeout_seconds + CONNECT_SECONDS) * 1000),
            "application_name": name,
            "options": f"-c statement_timeout={int(settings.statement_timeout_seconds * 1000)}"
            " -c timezone=UTC",
        },
    )


def _sqlite_engine(url: str, settings: DatabaseSettings) -> Engine:
    engine = create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        hide_parameters=True,  # they would stand in tracebacks
        connect_args={"timeout": settings.busy_timeout_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction control begins too late for BEGIN IMMEDIATE.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that starts as a reader and then writes fails under load; ours
        # take the write lock first, unless they are declared as reads.
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine
