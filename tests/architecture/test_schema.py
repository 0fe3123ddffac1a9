"""The tables: money is whole nanos, and the migrations make what the models say."""

import re

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Float, Numeric

from gateway.db import migrate
from models import Base

MONEY = re.compile(r"amount|balance|charge|cost|fee|limit_nanos|overrun|price|spend|spent|used|usd")
NANOS = re.compile(r"(_|^)nanos(_per_million)?$")

COLUMNS = [column for table in Base.metadata.sorted_tables for column in table.columns]


def test_no_column_is_a_float_or_a_decimal() -> None:
    # Numeric is the base of Float, and a float on SQLite whatever its scale.
    assert [str(column) for column in COLUMNS if isinstance(column.type, Float | Numeric)] == []


def test_a_column_of_money_is_a_big_integer_and_says_nanos() -> None:
    numbers = [column for column in COLUMNS if isinstance(column.type, BigInteger)]
    money = [column.name for column in numbers if MONEY.search(column.name)]
    assert money
    assert [name for name in money if not NANOS.search(name)] == []
    nanos = [column for column in COLUMNS if "nanos" in column.name]
    assert [str(column) for column in nanos if column not in set(numbers)] == []


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory(str(migrate.LOCATION)).get_heads()) == 1


def test_the_migrations_make_what_the_models_say(sqlite_url: str) -> None:
    """The same for PostgreSQL is in tests/integration/test_migrations.py."""
    command.check(migrate._config(sqlite_url))
