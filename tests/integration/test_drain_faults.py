"""The drain when something is wrong: unreadable entries, lost leases, killed processes."""

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select, update
from sqlalchemy.exc import ProgrammingError

from gateway import ids, ledger, usage
from gateway.admission import events
from gateway.cache import keys
from gateway.db import Database
from gateway.db.database import DatabaseDownError
from gateway.settings import DrainSettings
from gateway.usage import drain_batch, drain_lease, drain_stream
from models import (
    DrainState,
    LedgerEntry,
    RequestRecord,
)
from tests.integration.processes import environment, wait_until
from tests.integration.settlements import (
    DRAIN,
    EPOCH,
    all_agree,
    append,
    build_hold,
    build_settlement,
    count,
    create_payers,
    kinds,
    read_totals,
    settle_fields,
)
from tests.servers.redis import RedisServer

CHARGE = 700_000
DRAINING = "tests.integration.drain_process"


def test_an_unreadable_entry_is_put_aside_and_the_others_are_written(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    good = settle_fields(build_settlement(build_hold(payer)))
    grant = build_settlement(build_hold(payer))
    append(
        client,
        [
            {b"x": b"y"},
            good | {events.EVENT: b"[1"},
            settle_fields(build_settlement(build_hold(payer))),
            good | {events.EVENT: events.encode(grant).replace(b'"charge"', b'"grant"')},
        ],
    )
    drained = usage.drain_once(database, client, DRAIN, "one")
    assert (drained.count, drained.remaining) == (1, 0)
    assert client.xlen(keys.DEAD_LETTERS) == 3
    assert kinds(database) == [("final", "charge", CHARGE)]


def test_a_value_that_the_database_refuses_does_not_cost_its_neighbours(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    settlements = [build_settlement(build_hold(payer)) for _ in range(7)]
    bad = build_settlement(build_hold(replace(payer, model_id="no-uuid")))
    too_long = build_settlement(build_hold(payer, reference="req_" + "x" * 100))
    mixed = [*settlements[:3], bad, *settlements[3:], too_long]
    append(client, [settle_fields(settlement) for settlement in mixed])
    drained = usage.drain_once(database, client, DRAIN, "one")
    assert drained.remaining == 0
    if database.is_postgres:
        assert count(database, RequestRecord) == 7
        assert client.xlen(keys.DEAD_LETTERS) == 2
    with database.snapshot() as session:
        nanos = count(database, RequestRecord) * CHARGE
        assert all_agree(read_totals(session), nanos)


def test_a_null_byte_in_a_header_costs_nothing(database: Database, client: Redis) -> None:
    [payer] = create_payers(database)
    fields = settle_fields(build_settlement(build_hold(payer)))
    fields[events.EVENT] = fields[events.EVENT].replace(b'"tests"', b'"a\\u0000b"')
    append(client, [fields])
    usage.drain_once(database, client, DRAIN, "one")
    with database.snapshot() as session:
        assert session.scalars(select(RequestRecord.user_agent)).one() == "a�b"


def test_a_database_without_its_tables_puts_nothing_aside(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    append(client, [settle_fields(build_settlement(build_hold(payer)))])
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE attempts RENAME TO elsewhere")
    with pytest.raises((DatabaseDownError, ProgrammingError)):
        usage.drain_once(database, client, DRAIN, "one")
    assert (client.xlen(keys.STREAM), client.xlen(keys.DEAD_LETTERS)) == (1, 0)
    assert count(database, LedgerEntry) == 0


def test_a_batch_whose_lease_was_lost_is_not_written(database: Database, client: Redis) -> None:
    [payer] = create_payers(database)
    append(client, [settle_fields(build_settlement(build_hold(payer)))])
    with database.transaction() as session:
        lease = drain_lease.take(session, "slow", EPOCH, 15)
    assert lease is not None
    batch = drain_stream.read(client, lease.watermark, 10)
    with database.transaction() as session:
        session.execute(update(DrainState).values(fence=DrainState.fence + 1))
    with pytest.raises(drain_lease.LeaseLostError), database.transaction() as session:
        drain_batch.write(session, lease, batch.events, batch.last_id)
    assert count(database, LedgerEntry) == 0
    with database.transaction() as session:
        session.execute(update(DrainState).values(lease_until=drain_lease.LONG_AGO))
    assert usage.drain_once(database, client, DRAIN, "next").count == 1


def test_while_one_drains_another_does_nothing(database: Database, client: Redis) -> None:
    [payer] = create_payers(database)
    append(client, [settle_fields(build_settlement(build_hold(payer)))])
    with database.transaction() as session:
        assert drain_lease.take(session, "one", EPOCH, 15)
    drained = usage.drain_once(database, client, DRAIN, "two")
    assert (drained.count, drained.remaining) == (0, 1)


def test_a_new_filling_of_redis_is_read_from_its_beginning(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    append(client, [settle_fields(build_settlement(build_hold(payer)))])
    usage.drain_once(database, client, DRAIN, "one")
    client.flushall()
    hold = build_hold(payer)
    client.xadd(keys.STREAM, settle_fields(build_settlement(hold)), id="5-0")  # type: ignore[arg-type]
    assert usage.drain_once(database, client, DRAIN, "two").count == 0
    client.set(keys.EPOCH, "e2@run")
    drained = usage.drain_once(database, client, DRAIN, "three")
    assert (drained.count, drained.watermark, drained.remaining) == (1, "5-0", 0)
    assert count(database, RequestRecord) == 2


def test_what_a_dead_drain_left_behind_after_its_commit_is_trimmed(
    database: Database, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    [payer] = create_payers(database)
    append(client, [settle_fields(build_settlement(build_hold(payer)))])
    with monkeypatch.context() as patch:
        patch.setattr("gateway.usage.drain.admission.trim", lambda *_: None)
        usage.drain_once(database, client, DRAIN, "one")
    assert client.xlen(keys.STREAM) == 1
    usage.drain_once(database, client, DRAIN, "two")
    assert client.xlen(keys.STREAM) == 0
    assert kinds(database) == [("final", "charge", CHARGE)]


def test_a_drain_killed_in_the_middle_loses_and_doubles_nothing(
    database: Database,
    database_url: str,
    client: Redis,
    redis_server: RedisServer,
    state_dir: Path,
) -> None:
    payers = create_payers(database, 5)
    append(
        client, [settle_fields(build_settlement(build_hold(payers[n % 5]))) for n in range(6_000)]
    )
    env = environment(database_url, redis_server, state_dir) | {
        "SLUICE_DRAIN__BATCH": "60",
        "SLUICE_DRAIN__LEASE_SECONDS": "0.2",
    }
    chance = random.Random(7)  # noqa: S311 - chosen to be repeatable
    for killed in range(4):
        before = count(database, RequestRecord)
        process = subprocess.Popen([sys.executable, "-m", DRAINING, "drain", str(killed)], env=env)
        wait_until(lambda before=before: count(database, RequestRecord) > before, 20)  # type: ignore[misc]
        time.sleep(chance.random() * 0.15)
        process.kill()
        process.wait()
    wait_until(lambda: _drain_rest(database, client), 20)
    assert count(database, RequestRecord) == 6_000
    with database.snapshot() as session:
        assert all_agree(read_totals(session), 6_000 * CHARGE)
    assert ledger.verify(database, client) == []


def _drain_rest(database: Database, client: Redis) -> bool:
    settings = DrainSettings(batch=500, lease_seconds=5)
    return usage.drain_once(database, client, settings, ids.new_uuid()).remaining == 0
