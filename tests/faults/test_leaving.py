"""Clients that leave: what they pay is what the vendor reported, or what reached their socket.

Every charge is computed here from the simulator's journal and the bytes on the client's
socket; the estimator's rule is written down once more, so that it cannot be wrong twice.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.faults.visits import (
    INPUT_NANOS,
    OUTPUT_NANOS,
    Place,
    Visit,
    assert_nothing_is_left,
    estimated_nanos,
    leave,
    reported_nanos,
)
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import EMAIL, KEY

PIECES = 6
KEYS = {name: f"llm-{name}-" + "0123456789abcdef" * 3 for name in ("cancel", "drain")}
WAYS = ["fin", "rst", "half"]

PLACES = {
    "before the head": Place("head"),
    "after the head, before any event": Place("0"),
    "after the role, before any content": Place("1"),
    "after the first content": Place("2", b"tok00000"),
    "in the middle": Place("4", b"tok00002"),
    "before the finish": Place("finish", b"tok00005"),
    "between finish and usage": Place("usage", b'"finish_reason":"stop"'),
    "between usage and [DONE]": Place("done", b'"total_tokens"', has_usage=True),
    "a plain answer before its head": Place("head", stream=False),
    "a plain answer before its body": Place("0", stream=False),
}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        keys = [{"name": n, "key": k, "disconnect_policy": n} for n, k in KEYS.items()]
        running.apply({"users": [{"email": EMAIL, "keys": keys}]})
        yield running


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_cancel_stops_the_upstream_and_charges_what_was_delivered(
    stack: Stack, place: Place, how: str
) -> None:
    visit = Visit(stack, f"sim-chat-n{PIECES}-GATE.{place.gate}")
    with leave(stack, visit, place, how, KEYS["cancel"]) as client:
        record, journal = visit.record(), visit.journal()
        assert journal["client_gone"]
        assert not journal["done_sent"]
        assert not journal["completed"]
        expected = estimated_nanos(client.text)
        if place.has_usage:
            expected = reported_nanos(journal["usage"])
    basis = "reported" if place.has_usage else "estimated"
    assert (record.status, record.http_status, record.basis) == ("cancelled", 499, basis)
    entry = visit.final_entry(record)
    assert (record.charge_nanos, entry.amount_nanos) == (expected, expected)
    assert (entry.kind, entry.basis, entry.disconnect_policy) == ("charge", basis, "cancel")
    assert record.attempts == 1
    assert record.backend_id is not None
    assert_nothing_is_left(stack)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_drain_reads_to_the_end_and_charges_what_the_vendor_reports(
    stack: Stack, place: Place, how: str
) -> None:
    visit = Visit(stack, f"sim-chat-n{PIECES}-GATE.{place.gate}")
    with leave(stack, visit, place, how, KEYS["drain"]):
        stack.simulator.open_gate(visit.gate)
        record, journal = visit.record(), visit.journal()
    assert not journal["client_gone"]
    assert journal["completed"]
    expected = reported_nanos(journal["usage"])
    assert (record.status, record.http_status, record.basis) == ("cancelled", 499, "reported")
    entry = visit.final_entry(record)
    assert (record.charge_nanos, entry.amount_nanos) == (expected, expected)
    assert (entry.kind, entry.disconnect_policy) == ("charge", "drain")
    assert record.attempts == 1
    assert record.backend_id is not None
    assert_nothing_is_left(stack)


MIDDLE = PLACES["in the middle"]


@pytest.mark.parametrize("place", [MIDDLE, PLACES["a plain answer before its head"]])
@pytest.mark.parametrize(
    ("of_model", "key", "expected"),
    [
        (None, KEY, "cancel"),
        ("drain", KEY, "drain"),
        ("cancel", KEY, "cancel"),
        ("cancel", KEYS["drain"], "drain"),
        ("drain", KEYS["cancel"], "cancel"),
    ],
)
def test_the_keys_word_goes_before_the_models(
    stack: Stack, of_model: str | None, key: str, expected: str, place: Place
) -> None:
    visit = Visit(stack, f"sim-chat-n{PIECES}-GATE.{place.gate}", disconnect_policy=of_model)
    with leave(stack, visit, place, "fin", key):
        if expected == "drain":
            stack.simulator.open_gate(visit.gate)
        entry = visit.final_entry(visit.record())
        assert entry.disconnect_policy == expected
        assert visit.journal()["client_gone"] is (expected == "cancel")


def test_a_drained_stream_without_usage_is_charged_by_all_that_was_said(stack: Stack) -> None:
    visit = Visit(stack, f"sim-chat-n{PIECES}-nousage-GATE.4")
    with leave(stack, visit, MIDDLE, "fin", KEYS["drain"]):
        stack.simulator.open_gate(visit.gate)
        record = visit.record()
    said = "".join(f" tok{index:05d}" for index in range(PIECES))
    assert record.basis == "estimated"
    assert record.charge_nanos == estimated_nanos(said)
    assert_nothing_is_left(stack)


@pytest.mark.parametrize("break_off", ["k5", "c5", "err5", "midfinish5"])
def test_a_drained_stream_that_breaks_is_charged_by_what_was_said_until_then(
    stack: Stack, break_off: str
) -> None:
    visit = Visit(stack, f"sim-chat-n{PIECES}-{break_off}-GATE.4")
    with leave(stack, visit, MIDDLE, "fin", KEYS["drain"]):
        stack.simulator.open_gate(visit.gate)
        record, journal = visit.record(), visit.journal()
    assert journal["events_written"] >= 5
    said = "".join(f" tok{index:05d}" for index in range(4))
    assert (record.status, record.basis) == ("cancelled", "estimated")
    assert record.charge_nanos == estimated_nanos(said)
    assert_nothing_is_left(stack)


def test_a_drained_call_that_fails_costs_nothing(stack: Stack) -> None:
    visit = Visit(stack, "sim-chat-e422-GATE.head")
    place = PLACES["a plain answer before its head"]
    with leave(stack, visit, place, "fin", KEYS["drain"]):
        stack.simulator.open_gate(visit.gate)
        record = visit.record()
    assert (record.status, record.charge_nanos) == ("failed", 0)
    assert visit.final_entry(record).kind == "release"
    assert_nothing_is_left(stack)


def test_leaving_costs_no_more_than_the_hold(stack: Stack) -> None:
    """The vendor reports a thousand million tokens; the hold is all that may be taken."""
    visit = Visit(stack, "sim-chat-n4-hugeusage-GATE.done")
    with leave(stack, visit, PLACES["between usage and [DONE]"], "fin", KEYS["cancel"]):
        entry = visit.final_entry(visit.record())
    assert entry.amount_nanos == entry.held_nanos
    assert entry.overrun_nanos == 10**9 * (INPUT_NANOS + OUTPUT_NANOS) - entry.held_nanos
    assert_nothing_is_left(stack)
