"""A migrated database for every test, copied from a template that was migrated once."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from sqlalchemy.engine import make_url

from gateway import ids
from gateway.db import migrate


def make_postgres_template(server_url: str, shared: Path) -> str:
    """Migrate the template once per state of the migrations; whoever comes second waits."""
    name = f"sluice_template_{_migrations_digest()}"
    with (shared / "postgres-template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _exists(server_url, name):
            fresh = f"{name}_{os.getpid()}"
            _execute(server_url, f'CREATE DATABASE "{fresh}"')
            migrate.upgrade(_named(server_url, fresh))
            _execute(server_url, f'ALTER DATABASE "{fresh}" RENAME TO "{name}"')
    return name


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(migrate.LOCATION.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def fresh_postgres(server_url: str, template: str) -> Generator[str]:
    name = f"test_{ids.new_uuid().replace('-', '')}"
    _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _named(server_url, name)
    finally:
        _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def make_sqlite_template(shared: Path) -> Path:
    template = shared / "template.db"
    with (shared / "sqlite-template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            fresh = shared / "template.new.db"
            migrate.upgrade(f"sqlite:///{fresh}")
            fresh.rename(template)
    return template


def fresh_sqlite(template: Path, folder: Path) -> str:
    path = folder / "sluice.db"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


def _named(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def _exists(server_url: str, name: str) -> bool:
    connection = psycopg2.connect(server_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return cursor.fetchone() is not None
    finally:
        connection.close()


def _execute(server_url: str, statement: str) -> None:
    connection = psycopg2.connect(server_url)
    try:
        connection.autocommit = True  # databases are not made in transactions
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
