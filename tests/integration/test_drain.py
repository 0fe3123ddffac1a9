"""The drain: every settlement in the ledger once, whatever is repeated or late."""

import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select

from gateway import admission, ledger, usage
from gateway.admission import events
from gateway.admission.operations import Load
from gateway.cache import keys
from gateway.db import Database
from models import (
    AllowanceEffect,
    Attempt,
    RequestRecord,
    Rollup,
    User,
)
from tests.integration.processes import environment
from tests.integration.settlements import (
    DRAIN,
    EPOCH,
    STARTED_MS,
    abandon_fields,
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


def test_twenty_thousand_settlements_sum_up_to_the_same_everywhere(
    database: Database, client: Redis
) -> None:
    payers = create_payers(database, 50)
    settlements = [
        build_settlement(
            build_hold(payers[number % 50], started_ms=STARTED_MS + number * 1000),
            status="failed" if number % 10 == 0 else "succeeded",
        )
        for number in range(20_000)
    ]
    append(client, [settle_fields(settlement) for settlement in settlements])
    drained = usage.drain_once(database, client, DRAIN, "one")
    assert (drained.count, drained.remaining) == (20_000, 0)
    with database.snapshot() as session:
        assert all_agree(read_totals(session), 18_000 * CHARGE)
    assert count(database, Attempt) == 20_000
    assert ledger.verify(database, client) == []


def test_one_settlement_told_a_hundred_times_by_eight_processes_is_one_final_entry(
    database: Database,
    database_url: str,
    client: Redis,
    redis_server: RedisServer,
    state_dir: Path,
) -> None:
    [payer] = create_payers(database)
    client.set(keys.EPOCH, EPOCH)
    event = events.encode(build_settlement(build_hold(payer))).decode()
    env = environment(database_url, redis_server, state_dir)
    command = [sys.executable, "-m", DRAINING, "settle", event, "100"]
    tellers = [subprocess.Popen(command, env=env) for _ in range(8)]
    while any(teller.poll() is None for teller in tellers):
        usage.drain_once(database, client, DRAIN, "one")
    usage.drain_once(database, client, DRAIN, "one")
    assert [teller.returncode for teller in tellers] == [0] * 8
    assert kinds(database) == [("final", "charge", CHARGE)]
    with database.snapshot() as session:
        assert all_agree(read_totals(session), CHARGE)
    assert ledger.verify(database, client) == []


def test_an_abandoned_call_that_settles_late_is_charged_by_an_adjustment(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    hold = build_hold(payer)
    append(client, [abandon_fields(hold)])
    usage.drain_once(database, client, DRAIN, "one")
    with database.snapshot() as session:
        assert session.scalars(select(RequestRecord.status)).one() == "abandoned"
        assert session.scalars(select(Rollup.failed)).one() == 1
    append(client, [settle_fields(build_settlement(hold), late=True)] * 3)
    usage.drain_once(database, client, DRAIN, "two")
    assert kinds(database) == [("final", "abandoned", 0), ("adjustment", "adjustment", CHARGE)]
    with database.snapshot() as session:
        assert all_agree(read_totals(session), CHARGE)
        record = session.scalars(select(RequestRecord)).one()
        assert (record.status, record.input_tokens, record.attempts) == ("succeeded", 120, 1)
        assert session.scalar(select(func.sum(Rollup.failed))) == 0
        assert session.scalar(select(func.sum(Rollup.requests))) == 1
        assert session.scalars(select(AllowanceEffect.user_id)).all() == [payer.user_id]
    assert ledger.verify(database, client) == []


def test_a_call_abandoned_and_settled_in_one_batch_is_corrected_too(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    hold = build_hold(payer)
    append(client, [abandon_fields(hold), settle_fields(build_settlement(hold), late=True)])
    usage.drain_once(database, client, DRAIN, "one")
    assert kinds(database) == [("final", "abandoned", 0), ("adjustment", "adjustment", CHARGE)]
    with database.snapshot() as session:
        assert all_agree(read_totals(session), CHARGE)
    assert ledger.verify(database, client) == []


def test_a_late_release_corrects_the_record_of_an_abandoned_call(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    hold = build_hold(payer)
    failed = build_settlement(hold, status="failed")
    append(client, [abandon_fields(hold), settle_fields(failed, late=True)])
    usage.drain_once(database, client, DRAIN, "one")
    with database.snapshot() as session:
        assert session.scalars(select(RequestRecord.status)).one() == "failed"
        assert all_agree(read_totals(session), 0)
    assert ledger.verify(database, client) == []


@pytest.mark.parametrize(
    ("late", "told_before", "effects"),
    [(False, False, 0), (True, False, 1), (False, True, 1), (True, True, 0)],
)
def test_an_allowance_is_loaded_anew_when_redis_and_ledger_felt_different_things(
    database: Database, client: Redis, *, late: bool, told_before: bool, effects: int
) -> None:
    [payer] = create_payers(database)
    settlement = build_settlement(build_hold(payer))
    if told_before:
        append(client, [settle_fields(settlement)])
        usage.drain_once(database, client, DRAIN, "one")
    append(client, [settle_fields(settlement, late=late)])
    usage.drain_once(database, client, DRAIN, "two")
    assert count(database, AllowanceEffect) == effects


def test_effects_are_announced_once_and_empty_the_loaded_allowance(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database, limit_nanos=10_000_000)
    append(client, [settle_fields(build_settlement(build_hold(payer)), late=True)])
    usage.drain_once(database, client, DRAIN, "one")
    client.hset(keys.allowance(payer.user_id), "u", "10000000")
    assert ledger.verify(database, client) != []
    assert usage.apply_effects(database, client) == 1
    assert client.exists(keys.allowance(payer.user_id)) == 0
    assert ledger.verify(database, client) == []
    client.hset(keys.allowance(payer.user_id), "u", "9300000")
    assert usage.apply_effects(database, client) == 0
    assert client.exists(keys.allowance(payer.user_id)) == 1


def test_an_abandoned_hold_after_its_settlement_changes_nothing_but_the_allowance(
    database: Database, client: Redis
) -> None:
    [payer] = create_payers(database)
    hold = build_hold(payer)
    append(client, [settle_fields(build_settlement(hold)), abandon_fields(hold)])
    usage.drain_once(database, client, DRAIN, "one")
    assert kinds(database) == [("final", "charge", CHARGE)]
    assert count(database, AllowanceEffect) == 1


def test_a_user_loaded_at_any_moment_has_what_the_ledger_leaves_him(
    database: Database, client: Redis
) -> None:
    """Watermark and sums belong together: before and after the drain the load is the same."""
    [payer] = create_payers(database, limit_nanos=100 * CHARGE)
    append(client, [settle_fields(build_settlement(build_hold(payer))) for _ in range(10)])
    for _ in range(2):
        with database.snapshot() as session:
            base = admission.get_allowance_base(session, payer.user_id)
        load = Load(base.user_id, base.revision, base.watermark, base.available)
        assert admission.run(client, [load]) == [[b"OK"]]
        assert client.hget(keys.allowance(payer.user_id), "u") == str(90 * CHARGE).encode()
        usage.drain_once(database, client, DRAIN, "one")
    with database.snapshot() as session:
        assert session.scalars(select(User.used_nanos)).one() == 10 * CHARGE
    assert ledger.verify(database, client) == []
