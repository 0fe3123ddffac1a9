"""Clients that stop reading are let go; neither they nor those who leave alarm anybody."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.faults.visits import (
    Place,
    Visit,
    assert_nothing_is_left,
    estimated_nanos,
    leave,
    reported_nanos,
)
from tests.servers.redis import RedisServer
from tests.stack import Stack
from tests.stack.raw_client import RawClient
from tests.stack.stack import KEY

PLACES = [Place("4", b"tok00002"), Place("head"), Place("0", stream=False)]
SLOW_PIECES, PIECE_BYTES = 16_000, 1_000


@pytest.fixture
def impatient(sqlite_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    environment = {"SLUICE_API__SEND_TIMEOUT_SECONDS": "0.3"}
    with Stack.start(sqlite_url, redis_server, state_dir, environment=environment) as running:
        yield running


@pytest.mark.parametrize("policy", ["cancel", "drain"])
def test_a_client_that_stops_reading_is_let_go(impatient: Stack, policy: str) -> None:
    upstream = f"sim-chat-n{SLOW_PIECES}-s{PIECE_BYTES}"
    visit = Visit(impatient, upstream, disconnect_policy=policy, max_output_tokens=10**7)
    with RawClient(impatient.apis[0].port, receive_buffer=4096) as client:
        visit.ask(client)
        client.read_until(b"tok00000")
        record, journal = visit.record(), visit.journal()
        client.read_to_end()
        assert b"[DONE]" not in client.received
        received = client.received.count(b" tok")
    entry = visit.final_entry(record)
    assert (record.status, entry.disconnect_policy) == ("cancelled", policy)
    assert journal["client_gone"] is (policy == "cancel")
    if policy == "drain":
        assert record.charge_nanos == reported_nanos(journal["usage"])
    else:
        # What sits in buffers on the way counts as delivered, what the upstream kept does not.
        least, most = received - 1, journal["content_pieces_written"]
        assert estimated_nanos("x" * PIECE_BYTES * least) <= record.charge_nanos
        assert record.charge_nanos <= estimated_nanos("x" * PIECE_BYTES * most)
        assert most < SLOW_PIECES
    assert_nothing_is_left(impatient)
    assert b"unexpected_error" not in impatient.apis[0].log.read_bytes()


def test_clients_who_leave_are_no_errors_in_the_log(
    sqlite_url: str, redis_server: RedisServer, state_dir: Path
) -> None:
    with Stack.start(sqlite_url, redis_server, state_dir) as stack:
        for place in PLACES:
            for how in ("fin", "rst", "half"):
                visit = Visit(stack, f"sim-chat-n6-GATE.{place.gate}")
                with leave(stack, visit, place, how, KEY):
                    visit.record()
        lines = stack.apis[0].log.read_text().splitlines()
    assert [line for line in lines if _is_alarming(line)] == []


def _is_alarming(line: str) -> bool:
    try:
        return str(json.loads(line)["level"]).lower() in {"error", "critical"}
    except (ValueError, KeyError, TypeError):
        return True  # a traceback, or what somebody printed
