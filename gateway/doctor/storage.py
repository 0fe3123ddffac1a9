"""The database: reachable, migrated, with connections to spare and its partitions made."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from gateway.db import migrate, normalise_url
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings

SUBJECT = "database"
CONNECT_SECONDS = 3
DEFAULT_PARTITIONS = ("requests_default", "attempts_default")


def check_storage(settings: Settings) -> list[Finding]:
    try:
        url = normalise_url(settings.resolved_database_url)
    except ValueError as error:
        return [Finding(Level.ERROR, SUBJECT, str(error), "correct DATABASE_URL")]
    is_file = url.get_backend_name() == "sqlite"
    if is_file and not Path(url.database or "").is_file():
        message = f"{url.database} does not exist"
        return [Finding(Level.ERROR, SUBJECT, message, "run `sluice migrate`")]
    engine = create_engine(
        url, connect_args={} if is_file else {"connect_timeout": CONNECT_SECONDS}
    )
    try:
        with engine.connect() as connection:
            checks = _sqlite(connection) if is_file else _postgres(connection, settings)
            return [*_revision(settings), *checks]
    except DBAPIError as error:
        message = f"cannot be used: {' '.join(str(error.orig).split())}"
        return [Finding(Level.ERROR, SUBJECT, message, "start it, or correct DATABASE_URL")]
    finally:
        engine.dispose()


def _revision(settings: Settings) -> Iterator[Finding]:
    current, head = migrate.current_and_head(settings.resolved_database_url)
    if current == head:
        yield Finding(Level.OK, SUBJECT, f"migrated to {head}")
    else:
        message = f"is at revision {current or 'none'}, the newest is {head}"
        yield Finding(Level.ERROR, SUBJECT, message, "run `sluice migrate`")


def _sqlite(connection: Connection) -> Iterator[Finding]:
    version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    yield Finding(Level.OK, SUBJECT, f"SQLite {version}, for one machine")
    mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    if mode != "wal":
        message = f"journal mode is {mode}: readers and the writer wait for each other"
        yield Finding(Level.WARN, SUBJECT, message, "run `sluice migrate`")


def _postgres(connection: Connection, settings: Settings) -> Iterator[Finding]:
    version = connection.execute(text("SHOW server_version")).scalar_one()
    yield Finding(Level.OK, SUBJECT, f"PostgreSQL {version}")
    yield from _connections(connection, settings)
    yield from _partitions(connection)


def _connections(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """API processes and a worker each open a pool on this machine; others may do so too."""
    allowed = int(connection.execute(text("SHOW max_connections")).scalar_one())
    reserved = int(connection.execute(text("SHOW superuser_reserved_connections")).scalar_one())
    open_now = connection.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one()
    needed = (settings.api.workers + 1) * settings.database.pool_size
    message = f"this machine needs up to {needed} of {allowed} connections, {open_now} are open"
    if needed > allowed - reserved:
        advice = "lower SLUICE_DATABASE__POOL_SIZE or raise max_connections"
        yield Finding(Level.ERROR, "connections", message, advice)
    else:
        yield Finding(Level.OK, "connections", message)


def _partitions(connection: Connection) -> Iterator[Finding]:
    for table in DEFAULT_PARTITIONS:
        known = connection.execute(text("SELECT to_regclass(:name)"), {"name": table}).scalar()
        if known is None:
            continue
        filled = connection.execute(text(f"SELECT EXISTS (SELECT 1 FROM {table})")).scalar()  # noqa: S608
        if filled:
            message = f"{table} holds rows whose month had no partition of its own"
            advice = "see that beat and a worker run: they make partitions ahead of time"
            yield Finding(Level.WARN, "partitions", message, advice)
