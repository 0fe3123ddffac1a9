"""Retention: what is past its days goes, the sums that remain still agree."""

import datetime as dt
from collections.abc import Generator

import pytest
from redis import Redis
from sqlalchemy import text

from gateway import clock, ledger, retention, usage
from gateway.db import USER, Database, mark_changed
from gateway.retention.partitions import month_of, next_month
from gateway.settings import DatabaseSettings, RetentionSettings
from models import AllowanceEffect, Attempt, Change, LedgerEntry, RequestRecord, Rollup
from tests.integration.settlements import (
    DRAIN,
    append,
    build_hold,
    build_settlement,
    count,
    create_payers,
    settle_fields,
)

KEPT = RetentionSettings(requests_days=90, attempts_days=30, rollups_days=800, delete_rows=7)


@pytest.fixture
def postgres(postgres_url: str) -> Generator[Database]:
    opened = Database.connect(postgres_url, DatabaseSettings(), "tests")
    yield opened
    opened.close()


def record_calls(database: Database, client: Redis, ages_days: list[int]) -> None:
    [payer] = create_payers(database)
    now = clock.now_ms()
    calls = [
        build_settlement(build_hold(payer, started_ms=now - age * 86_400_000)) for age in ages_days
    ]
    append(client, [settle_fields(call) for call in calls])
    usage.drain_once(database, client, DRAIN, "one")


def partitions(database: Database) -> list[str]:
    with database.snapshot() as session:
        names = session.scalars(
            text(
                "SELECT inhrelid::regclass::text FROM pg_inherits"
                " WHERE inhparent = 'requests'::regclass"
            )
        ).all()
    return sorted(name for name in names if name != "requests_default")


def test_records_past_their_days_are_deleted_a_few_at_a_time_and_the_ledger_stays(
    database: Database, client: Redis
) -> None:
    record_calls(database, client, [200] * 20 + [400] * 5 + [0] * 3)
    deleted = retention.purge(database, KEPT)
    assert (deleted["requests"], deleted["attempts"]) == (25, 25)
    assert (count(database, RequestRecord), count(database, Attempt)) == (3, 3)
    assert count(database, LedgerEntry) == 28
    assert ledger.verify(database, client) == []
    before = count(database, Rollup)
    ledger.rebuild(database)
    assert count(database, Rollup) == before
    assert ledger.verify(database, client) == []


def test_effects_are_kept_until_they_are_applied(database: Database) -> None:
    old = clock.now() - dt.timedelta(days=30)
    with database.transaction() as session:
        for applied_at in (None, old):
            effect = AllowanceEffect(
                user_id=ledger.NIL_ID, reason="test", created_at=old, applied_at=applied_at
            )
            session.add(effect)
        mark_changed(session, USER, "somebody")
    retention.purge(database, KEPT)
    assert count(database, AllowanceEffect) == 1
    assert count(database, Change) == 1


def test_partitions_are_made_once_for_this_month_and_three_more(postgres: Database) -> None:
    assert retention.ensure_partitions(postgres) == 8
    assert retention.ensure_partitions(postgres) == 0
    assert len(partitions(postgres)) == 4


def test_sqlite_needs_no_partitions(sqlite_url: str) -> None:
    database = Database.connect(sqlite_url, DatabaseSettings(), "tests")
    assert retention.ensure_partitions(database) == 0
    database.close()


def test_rows_that_were_there_before_their_partition_move_into_it(
    postgres: Database, client: Redis
) -> None:
    record_calls(postgres, client, [0] * 5)
    retention.ensure_partitions(postgres)
    with postgres.snapshot() as session:
        assert session.scalar(text("SELECT count(*) FROM requests_default")) == 0
        name = f"requests_{month_of(clock.now()):%Y_%m}"
        assert session.scalar(text(f"SELECT count(*) FROM {name}")) == 5  # noqa: S608
    assert ledger.verify(postgres, client) == []


def test_whole_months_past_their_days_are_dropped(
    postgres: Database, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention.ensure_partitions(postgres)
    record_calls(postgres, client, [0] * 4)
    later = next_month(clock.now() + dt.timedelta(days=100)) + dt.timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)
    retention.purge(postgres, KEPT)
    assert len(partitions(postgres)) == 1
    assert (count(postgres, RequestRecord), count(postgres, LedgerEntry)) == (0, 4)
    assert ledger.verify(postgres, client) == []
