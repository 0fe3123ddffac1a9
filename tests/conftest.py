"""What every test may ask for: real databases, a real Redis, a state directory."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from redis import Redis

from gateway.cache import connect
from gateway.db import Database
from gateway.settings import DatabaseSettings
from tests.servers import binaries, databases
from tests.servers.keeper import kept_cluster
from tests.servers.redis import RedisServer

SHARED = "SLUICE_TEST_SHARED_DIR"


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process makes the folder that all processes of this run share."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="sluice-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Of all processes of this test run together; the path is short."""
    return Path(os.environ[SHARED])


@pytest.fixture(scope="session")
def postgres_server(shared_dir: Path) -> Generator[str]:
    """The URL of a server on which databases may be made."""
    if url := os.environ.get(binaries.POSTGRES_VARIABLE):
        yield url
        return
    with kept_cluster(shared_dir) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str, shared_dir: Path) -> str:
    return databases.make_postgres_template(postgres_server, shared_dir)


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Generator[str]:
    """A fresh migrated PostgreSQL database."""
    with databases.fresh_postgres(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(shared_dir: Path) -> Path:
    return databases.make_sqlite_template(shared_dir)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite file."""
    return databases.fresh_sqlite(sqlite_template, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The test runs twice: a fresh migrated database of either engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def redis_server() -> Generator[RedisServer]:
    """A Redis of this test's own, started."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.discard()


@pytest.fixture
def state_dir() -> Generator[Path]:
    """An empty state directory; short, because a socket may be made in it."""
    with tempfile.TemporaryDirectory(prefix="sluice-state-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    """An opened database of either engine."""
    opened = Database.connect(database_url, DatabaseSettings(), "tests")
    yield opened
    opened.close()


@pytest.fixture
def client(redis_server: RedisServer) -> Generator[Redis]:
    """A blocking client of this test's own Redis."""
    with connect(redis_server.url) as opened:
        yield opened
