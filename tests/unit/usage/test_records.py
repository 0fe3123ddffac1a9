"""What a settlement becomes as a record."""

import datetime as dt

import pytest

from gateway.admission import events
from gateway.admission.events import Usage
from gateway.usage.drain_stream import PoisonError, decode
from gateway.usage.records import Tokens, build_attempts, build_request, count_tokens
from gateway.usage.rollups import Deltas
from tests.integration.settlements import (
    Payer,
    abandon_fields,
    build_hold,
    build_settlement,
    settle_fields,
)

PAYER = Payer("u", "a", "k", "m", "p")
EIGHT_PAST_NOON_MS = 1_700_000_000_123


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ([], Tokens(0, 0, 0, 0, 0)),
        ([("input", "", 10), ("output", "", 3)], Tokens(10, 0, 0, 3, 0)),
        (
            [
                ("input", "", 10),
                ("cached_input", "", 20),
                ("cache_write", "5m", 5),
                ("cache_write", "1h", 6),
                ("output", "", 3),
                ("reasoning", "", 4),
            ],
            Tokens(41, 20, 11, 7, 4),
        ),
        ([("image", "1024", 2), ("call", "", 1)], Tokens(0, 0, 0, 0, 0)),
        ([("audio_input", "", 7), ("audio_output", "", 8)], Tokens(7, 0, 0, 8, 0)),
    ],
)
def test_totals_are_made_of_quantities_that_do_not_overlap(usage: Usage, expected: Tokens) -> None:
    assert count_tokens(usage) == expected


def test_a_record_begins_when_the_call_began() -> None:
    settlement = build_settlement(build_hold(PAYER, started_ms=EIGHT_PAST_NOON_MS))
    row = build_request(decode("1-0", settle_fields(settlement)))
    assert row["created_at"] == dt.datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=dt.UTC)
    assert (row["duration_ms"], row["charge_nanos"]) == (900, 700_000)


def test_an_abandoned_hold_becomes_a_record_without_attempts() -> None:
    event = decode("1-0", abandon_fields(build_hold(PAYER)))
    assert build_request(event)["status"] == "abandoned"
    assert build_attempts(event) == []


def test_records_of_either_kind_have_the_same_columns() -> None:
    hold = build_hold(PAYER)
    settled = build_request(decode("1-0", settle_fields(build_settlement(hold))))
    assert settled.keys() == build_request(decode("1-0", abandon_fields(hold))).keys()


def test_long_values_of_clients_are_cut_to_their_columns() -> None:
    hold = build_hold(PAYER)
    fields = settle_fields(build_settlement(hold))
    fields[events.EVENT] = fields[events.EVENT].replace(b'"tests"', b'"' + b"x" * 900 + b'"')
    assert len(build_request(decode("1-0", fields))["user_agent"]) == 255


@pytest.mark.parametrize(
    "broken",
    [
        {events.EVENT: b""},
        {events.EVENT: b"[]"},
        {events.EVENT: b"\xff"},
        {events.KIND: events.ABANDON, events.AMOUNT: b"much"},
    ],
)
def test_an_entry_that_is_no_settlement_is_poison(broken: dict[bytes, bytes]) -> None:
    fields = settle_fields(build_settlement(build_hold(PAYER))) | broken
    with pytest.raises(PoisonError):
        decode("1-0", fields)


def test_deltas_of_a_record_and_its_reversal_cancel_out() -> None:
    row = build_request(decode("1-0", settle_fields(build_settlement(build_hold(PAYER)))))
    deltas = Deltas()
    deltas.add([row, row])
    deltas.add([row], sign=-1)
    [sums] = deltas.sums.values()
    assert sums[0] == 1
