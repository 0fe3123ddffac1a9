"""Migrations on databases that hold something: what is there stays, and gets its defaults."""

import datetime as dt
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, Table, create_engine, insert, select

from gateway.db import migrate, normalise_url
from tests.servers import databases

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Generator[str]:
    with databases.fresh_postgres(postgres_server, "template0") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the first version, of either engine."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    command.upgrade(migrate._config(url), "0001")
    return url


# Columns that every one of these tables has, and the rows in the order of their references.
SHARED: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "enabled": True}
ROWS: dict[str, dict[str, Any]] = {
    "providers": {
        "id": uuid.UUID(int=1),
        "code": "p",
        "name": "P",
        "adapter": "openai",
        "auth_style": "bearer",
        "path_templates": {},
        "headers": {"x-team": "ours"},
    },
    "backends": {
        "id": uuid.UUID(int=2),
        "provider_id": uuid.UUID(int=1),
        "slug": "b",
        "name": "",
        "base_url": "https://b.test/v1",
        "region": "",
        "weight": 7,
        "max_concurrency": 0,
        "limits": {"idle_seconds": 3},
        "healthy": True,
        "fail_count": 0,
    },
    "ai_models": {
        "id": uuid.UUID(int=3),
        "slug": "m",
        "name": "",
        "description": "",
        "type": "chat",
        "aliases": ["n"],
        "load_balancing": "weighted",
        "parameters": {},
        "forward": {},
        "fallback": {},
        "capabilities": {"a": 1},
        "limits": {},
    },
    "backend_models": {
        "id": uuid.UUID(int=4),
        "backend_id": uuid.UUID(int=2),
        "model_id": uuid.UUID(int=3),
        "upstream_model": "there",
        "weight": 1,
        "priority": 2,
    },
}


def tables_of(connection: Connection) -> dict[str, Table]:
    tables = MetaData()
    tables.reflect(connection)
    return dict(tables.tables)


def fill(connection: Connection) -> None:
    """A provider, its backend, a model and the link between them."""
    tables = tables_of(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    for name, row in ROWS.items():
        # SQLite keeps ids as text, and reflection does not know what they mean.
        ids = {
            column: value.hex if is_sqlite else value
            for column, value in row.items()
            if isinstance(value, uuid.UUID)
        }
        connection.execute(insert(tables[name]).values({**SHARED, **row, **ids}))


def contents(connection: Connection, table: str) -> dict[str, object]:
    found = connection.execute(select(tables_of(connection)[table])).mappings().one()
    return dict(found)


def test_rows_survive_the_way_up_and_down(old_url: str) -> None:
    engine = create_engine(normalise_url(old_url))
    with engine.begin() as connection:
        fill(connection)
        before = {name: contents(connection, name) for name in ROWS}

    migrate.upgrade(old_url)

    with engine.begin() as connection:
        after = {name: contents(connection, name) for name in ROWS}
    for name in ("backends", "backend_models"):
        assert after[name].pop("capabilities") == {}
    assert after == before
    command.downgrade(migrate._config(old_url), "0001")
    with engine.begin() as connection:
        assert {name: contents(connection, name) for name in ROWS} == before
    engine.dispose()
