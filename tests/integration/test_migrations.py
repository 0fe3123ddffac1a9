"""Migrations on real databases: from nothing to the models, and by two at once."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect

from gateway.db import migrate, normalise_url
from models import Base
from tests.servers import databases

MIGRATE = "import sys; from gateway.db import migrate; migrate.upgrade(sys.argv[1])"
MIGRATORS = 4


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Generator[str]:
    with databases.fresh_postgres(postgres_server, "template0") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, of either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def _tables(url: str) -> set[str]:
    engine = create_engine(normalise_url(url))
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_an_empty_database_becomes_what_the_models_say(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    current, head = migrate.current_and_head(empty_url)
    assert current == head
    assert set(Base.metadata.tables) <= _tables(empty_url)
    command.check(migrate._config(empty_url))


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    before = _tables(empty_url)
    migrate.upgrade(empty_url)
    assert _tables(empty_url) == before


def test_models_and_migrations_agree_on_postgres(postgres_url: str) -> None:
    command.check(migrate._config(postgres_url))


def test_several_migrators_at_once_make_one_schema(empty_url: str) -> None:
    """As when several machines of one deployment are started together."""
    migrators = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, empty_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(MIGRATORS)
    ]
    said = [migrator.communicate(timeout=60)[0].decode() for migrator in migrators]
    assert [migrator.returncode for migrator in migrators] == [0] * MIGRATORS, "\n".join(said)
    current, head = migrate.current_and_head(empty_url)
    assert current == head
    command.check(migrate._config(empty_url))


def test_everything_can_be_taken_back(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    command.downgrade(migrate._config(empty_url), "base")
    assert _tables(empty_url) <= {"alembic_version"}
