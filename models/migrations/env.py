"""Alembic's entry: one connection, one transaction, a lock against a second migrator."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models import Base

MIGRATION_LOCK = 7582
PARTITIONED = ("requests_", "attempts_")


def is_ours(obj: object, name: str | None, kind: str, *_: object) -> bool:
    """Partitions are made by the retention task, not by migrations."""
    table = name if kind == "table" else getattr(getattr(obj, "table", None), "name", None)
    return not (table or "").startswith(PARTITIONED)


engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.begin() as connection:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    else:
        connection.execute(text("PRAGMA journal_mode=WAL"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_object=is_ours,
    )
    context.run_migrations()
engine.dispose()
