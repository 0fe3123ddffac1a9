"""The ledger: what verification finds, what rebuilding repairs, what each kind of entry moves."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Update, delete, select, update

from gateway import clock, ids, ledger, usage
from gateway.cache import keys
from gateway.db import Database
from models import (
    AllowanceEffect,
    ApiKey,
    App,
    EntryKind,
    EntryLevel,
    LedgerEntry,
    PriceRow,
    RequestRecord,
    Revision,
    Rollup,
    User,
)
from tests.integration.settlements import (
    DRAIN,
    Payer,
    append,
    build_hold,
    build_settlement,
    create_payers,
    settle_fields,
)

LIMIT = 10_000_000
CHARGE = 700_000


@pytest.fixture
def payer(database: Database, client: Redis) -> Payer:
    """Somebody with three calls on record."""
    [payer] = create_payers(database, limit_nanos=LIMIT)
    append(client, [settle_fields(build_settlement(build_hold(payer))) for _ in range(3)])
    usage.drain_once(database, client, DRAIN, "one")
    return payer


def build_entry(payer: Payer, kind: EntryKind, amount: int, level: EntryLevel) -> ledger.Entry:
    return ledger.Entry(
        id=ids.new_uuid(),
        created_at=clock.now(),
        reference=ids.new("op"),
        slot=kind,
        kind=kind,
        level=level,
        user_id=payer.user_id,
        app_id=payer.app_id,
        api_key_id=payer.api_key_id,
        amount_nanos=amount,
    )


def read_used(database: Database) -> list[tuple[int, int]]:
    """Used and lifetime of the one user, app and key."""
    with database.snapshot() as session:
        return [
            (row.used_nanos, row.lifetime_used_nanos)
            for owner in (User, App, ApiKey)
            for row in session.execute(select(owner.used_nanos, owner.lifetime_used_nanos))
        ]


@pytest.mark.usefixtures("payer")
def test_verification_finds_nothing_in_a_sound_system(database: Database, client: Redis) -> None:
    assert ledger.verify(database, client) == []


PLANTED: dict[str, tuple[Callable[[], Any], str]] = {
    "user": (lambda: update(User).values(used_nanos=1), "users"),
    "app": (lambda: update(App).values(lifetime_used_nanos=1), "apps"),
    "key": (lambda: update(ApiKey).values(used_nanos=1), "api_keys"),
    "lost record": (lambda: delete(RequestRecord), "requests"),
    "record": (lambda: update(RequestRecord).values(charge_nanos=1), "requests"),
    "lost entry": (lambda: delete(LedgerEntry), "requests"),
    "charge": (lambda: update(LedgerEntry).values(overrun_nanos=5), "charge and usage"),
    "price": (lambda: update(PriceRow).values(nanos_per_million=1), "charge and usage"),
    "unpriced": (lambda: delete(PriceRow), "charge and usage"),
    "rollup": (lambda: update(Rollup).values(input_tokens=1), "rollups"),
    "lost rollup": (lambda: delete(Rollup), "rollups"),
}


@pytest.mark.usefixtures("payer")
@pytest.mark.parametrize("planted", PLANTED)
def test_verification_finds(database: Database, planted: str) -> None:
    build, check = PLANTED[planted]
    statement: Update = build()
    with database.transaction() as session:
        session.execute(statement)
    assert check in {difference.check for difference in ledger.verify(database)}


def test_verification_compares_loaded_allowances_while_nothing_is_open(
    database: Database, client: Redis, payer: Payer
) -> None:
    name, left = keys.allowance(payer.user_id), str(LIMIT - 3 * CHARGE)
    client.hset(name, mapping={"u": left, f"a:{payer.app_id}": left, f"k:{payer.api_key_id}": left})
    assert ledger.verify(database, client) == []
    client.hincrby(name, f"k:{payer.api_key_id}", 1)
    [difference] = ledger.verify(database, client)
    assert (difference.expected, difference.found) == (left, str(LIMIT - 3 * CHARGE + 1))
    client.zadd(keys.HOLDS, {f"{payer.user_id} req_1": 1})
    assert ledger.verify(database, client) == []


def test_rebuilding_restores_projections_rollups_and_redis(
    database: Database, client: Redis, payer: Payer
) -> None:
    name = keys.allowance(payer.user_id)
    client.hset(name, "u", "5")
    with database.transaction() as session:
        for owner in (User, App, ApiKey):
            session.execute(update(owner).values(used_nanos=5, lifetime_used_nanos=7))
        session.execute(update(Rollup).values(requests=9, charge_nanos=1))
    rebuilt = ledger.rebuild(database, client)
    assert (rebuilt.users, rebuilt.apps, rebuilt.api_keys, rebuilt.rollups) == (1, 1, 1, 1)
    assert read_used(database) == [(3 * CHARGE, 3 * CHARGE)] * 3
    assert client.exists(name) == 0
    assert ledger.verify(database, client) == []
    with database.snapshot() as session:
        assert session.scalars(select(AllowanceEffect.user_id)).all() == [payer.user_id]
        assert session.scalars(select(Revision.revision)).all() == [1]


def test_rebuilding_an_empty_system_does_nothing(database: Database) -> None:
    assert ledger.rebuild(database) == ledger.Rebuilt(users=0, apps=0, api_keys=0, rollups=0)


def test_a_reset_empties_used_at_its_level_and_leaves_the_lifetime(
    database: Database, payer: Payer
) -> None:
    reset = build_entry(payer, EntryKind.RESET, -3 * CHARGE, EntryLevel.API_KEY)
    with database.transaction() as session:
        ledger.append(session, [reset])
    assert read_used(database) == [(3 * CHARGE, 3 * CHARGE)] * 2 + [(0, 3 * CHARGE)]
    assert ledger.verify(database) == []
    ledger.rebuild(database)
    assert read_used(database) == [(3 * CHARGE, 3 * CHARGE)] * 2 + [(0, 3 * CHARGE)]


def test_a_refund_lessens_used_and_lifetime_and_a_grant_only_used(
    database: Database, payer: Payer
) -> None:
    refund = build_entry(payer, EntryKind.REFUND, -CHARGE, EntryLevel.ALL)
    grant = build_entry(payer, EntryKind.GRANT, -CHARGE, EntryLevel.USER)
    with database.transaction() as session:
        ledger.append(session, [refund])
        ledger.append(session, [grant])
    assert read_used(database) == [(CHARGE, 2 * CHARGE)] + [(2 * CHARGE, 2 * CHARGE)] * 2
    assert ledger.verify(database) == []


def test_an_entry_posted_twice_moves_nothing_the_second_time(
    database: Database, payer: Payer
) -> None:
    refund = build_entry(payer, EntryKind.REFUND, -CHARGE, EntryLevel.ALL)
    with database.transaction() as session:
        assert ledger.append(session, [refund]) == {refund.reference}
        assert ledger.append(session, [refund]) == set()
    assert read_used(database) == [(2 * CHARGE, 2 * CHARGE)] * 3


def test_charge_and_overrun_together_are_the_price_of_the_usage(
    database: Database, client: Redis, payer: Payer
) -> None:
    settlement = build_settlement(build_hold(payer))
    clamped = type(settlement)(
        **{name: getattr(settlement, name) for name in settlement.__struct_fields__}
        | {"amount_nanos": CHARGE - 100, "overrun_nanos": 100}
    )
    append(client, [settle_fields(clamped)])
    usage.drain_once(database, client, DRAIN, "two")
    assert read_used(database) == [(4 * CHARGE - 100, 4 * CHARGE - 100)] * 3
    assert ledger.verify(database, client) == []


def test_entries_are_listed_newest_first_page_by_page(database: Database, payer: Payer) -> None:
    with database.snapshot() as session:
        first = ledger.list_entries(session, payer.user_id, limit=2)
        rest = ledger.list_entries(session, payer.user_id, before_id=first[-1].id, limit=2)
    identifiers = [entry.id for entry in [*first, *rest]]
    assert len(identifiers) == 3
    assert identifiers == sorted(identifiers, reverse=True)
