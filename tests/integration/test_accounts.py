"""Users and API keys one at a time, and what moves their allowances."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import select

from gateway import clock, ids, ledger
from gateway.configuration import accounts, api_keys, document
from gateway.configuration.problems import ConfigurationError
from gateway.db import Database, Session
from gateway.settings import DatabaseSettings
from models import (
    EntryKind,
    EntryLevel,
    LedgerEntry,
    UserStatus,
)
from tests.integration.configured import SEALER, imported


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    yield database
    database.close()


def test_a_grant_raises_the_limit_and_a_reset_takes_back_what_was_used(
    database: Database,
) -> None:
    imported(database)
    with database.transaction() as session:
        accounts.set_limit(session, "grace", Decimal(5))
        accounts.grant(session, "grace", Decimal("2.5"))
        spend(session, "grace", 3_000_000_000)

    with database.transaction() as session:
        assert accounts.reset_used(session, "grace") == 3_000_000_000
        assert accounts.reset_used(session, "grace") == 0

    with database.snapshot() as session:
        view = accounts.get_view(session, "grace")
        entries = session.execute(
            select(LedgerEntry.kind, LedgerEntry.level, LedgerEntry.amount_nanos)
            .where(LedgerEntry.user_id == view.id)
            .order_by(LedgerEntry.id)
        ).all()
    assert (view.limit_nanos, view.used_nanos) == (7_500_000_000, 0)
    assert view.lifetime_used_nanos == 3_000_000_000
    assert [tuple(entry) for entry in entries] == [
        ("grant", "user", 0),
        ("adjustment", "user", 3_000_000_000),
        ("reset", "user", -3_000_000_000),
    ]
    assert [found for found in ledger.verify(database) if found.check == "users"] == []


def spend(session: Session, user: str, amount_nanos: int) -> None:
    entry = ledger.Entry(
        id=ids.new_uuid(),
        created_at=clock.now(),
        reference=ids.new("req"),
        slot=ledger.ADJUSTMENT,
        kind=EntryKind.ADJUSTMENT,
        level=EntryLevel.USER,
        user_id=accounts.get_user(session, user).id,
        amount_nanos=amount_nanos,
    )
    ledger.append(session, [entry])


def test_users_who_are_made_at_once_get_numbers_of_their_own(database: Database) -> None:
    imported(database, b"policies: [{name: default}]")

    def make(number: int) -> int:
        with database.transaction() as session:
            part = document.User(email=f"user{number}@example.test")
            return accounts.create_user(session, SEALER, part).number

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(make, range(12)))

    assert sorted(numbers) == list(range(10_000, 10_012))


def test_the_last_administrator_cannot_be_disabled(database: Database) -> None:
    imported(database, b"policies: [{name: default}]\nusers: [{email: a@b.test, role: admin}]")

    with database.transaction() as session, pytest.raises(ConfigurationError, match="last active"):
        accounts.set_user_status(session, "a@b.test", UserStatus.DISABLED)


def test_a_revoked_key_comes_back_when_it_is_enabled(database: Database) -> None:
    imported(database)

    with database.transaction() as session:
        assert api_keys.set_key_enabled(session, "server", enabled=False)
        assert not api_keys.set_key_enabled(session, "server", enabled=False)
        assert api_keys.get_view(session, "server").status == "disabled"
        assert api_keys.set_key_enabled(session, "server", enabled=True)
