"""Alembic's entry: one connection, one transaction, a lock against a second migrator."""

import sqlite3

from alembic import context
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool

from models import Base

MIGRATION_LOCK = 7582
PARTITIONED = ("requests_", "attempts_")


def is_ours(obj: object, name: str | None, kind: str, *_: object) -> bool:
    """Partitions are made by the retention task, not by migrations."""
    table = name if kind == "table" else getattr(getattr(obj, "table", None), "name", None)
    return not (table or "").startswith(PARTITIONED)


def prepare(connection: sqlite3.Connection, _: object) -> None:
    """The driver's own transaction control would commit before every CREATE TABLE."""
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA journal_mode=WAL")


def begin(connection: Connection) -> None:
    """The write lock first: a second migrator waits here, and then finds nothing to do."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
with engine.begin() as connection:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_object=is_ours,
    )
    context.run_migrations()
engine.dispose()
