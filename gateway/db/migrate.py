"""Migrations: one set for SQLite and PostgreSQL, run by ``sluice migrate``."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import models
from gateway.db.url import normalise_url

LOCATION = Path(models.__file__).parent / "migrations"


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(LOCATION))
    config.attributes["url"] = normalise_url(url)
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest revision; safe to run from several processes."""
    command.upgrade(_config(url), "head")


def current_and_head(url: str) -> tuple[str | None, str | None]:
    """The revision the database is at, and the newest one there is."""
    engine = create_engine(normalise_url(url))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return current, ScriptDirectory.from_config(_config(url)).get_current_head()
