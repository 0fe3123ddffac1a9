"""Which candidate may be tried: tiers, slots, cool-downs and breakers of the whole cluster."""

import time
from collections.abc import Generator, Sequence
from typing import Any

import msgspec
import pytest
from redis import Redis

from gateway.admission import script
from gateway.admission.operations import Admit, Choice, Look, Note, Pick, Report
from gateway.cache import connect, keys
from tests.integration.admitting import EPOCH, USER, admit_of, load, run, settle_of
from tests.servers.redis import RedisServer

HEALTH = "sluice:1:health"
OPEN_MS, THRESHOLD = 5_000, 5
FIRST, SECOND = Choice("l1", "b1", "k1", 0, 1), Choice("l2", "b2", "k2", 0, 1)
BOTH = (FIRST, SECOND)
FAIL, OK = "fail", "ok"


@pytest.fixture
def client(redis_server: RedisServer) -> Generator[Redis]:
    with connect(redis_server.url) as opened:
        opened.set(keys.EPOCH, EPOCH)
        load(opened)
        yield opened


def note(client: Redis, verdict: str, id_: str = "b1", times: int = 1) -> None:
    report = Report(id_, verdict, OPEN_MS, THRESHOLD)
    assert run(client, Note((report,) * times)) == [b"OK"]


def cool(client: Redis, id_: str, for_ms: int) -> None:
    assert run(client, Note((Report(id_, "cool", for_ms),))) == [b"OK"]


def chosen(
    client: Redis, candidates: Sequence[Choice] = BOTH, *, least_busy: bool = False
) -> int | None:
    """The index of the candidate that a new call would go to."""
    reply = run(client, admit_of(0, candidates=candidates, least_busy=least_busy))
    assert reply[0] in (b"OK", b"BUSY")
    return int(str(reply[1])) if reply[0] == b"OK" else None


def wait_of(client: Redis, candidates: Sequence[Choice]) -> int:
    reply: Any = run(client, admit_of(0, candidates=candidates))
    assert reply[0] == b"BUSY"
    return int(reply[1])


def look(client: Redis, candidates: Sequence[Choice] = BOTH) -> list[Any]:
    reply: Any = run(client, Look(tuple(candidates)))
    assert reply[0] == b"OK"
    return list(reply[1])


def stored(client: Redis, id_: str = "b1") -> bytes:
    value = client.hget(HEALTH, f"o:{id_}")
    assert isinstance(value, bytes)
    return value


def let_pass(client: Redis, id_: str = "b1") -> None:
    """As if the time of this cool-down or breaker were over."""
    over = int(time.time() * 1000) - 1
    client.hset(HEALTH, f"o:{id_}", stored(client, id_)[:1] + b"%d" % over)


@pytest.mark.parametrize("id_", ["l1", "b1", "k1"])
def test_failures_in_a_row_open_the_breaker_of_link_backend_or_key(client: Redis, id_: str) -> None:
    note(client, FAIL, id_, THRESHOLD - 1)
    assert chosen(client) == 0
    note(client, FAIL, id_)
    assert chosen(client) == 1
    assert chosen(client, [FIRST]) is None


def test_a_success_in_between_begins_the_count_anew(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD - 1)
    note(client, OK)
    note(client, FAIL, times=THRESHOLD - 1)
    assert chosen(client) == 0


def test_half_of_ten_outcomes_being_failures_opens_the_breaker(client: Redis) -> None:
    for _ in range(4):
        note(client, FAIL)
        note(client, OK)
    note(client, OK)
    assert chosen(client) == 0  # 4 of 9
    note(client, FAIL)
    assert chosen(client) == 1  # 5 of 10


def test_fewer_than_half_failures_leave_it_closed(client: Redis) -> None:
    for _ in range(20):
        note(client, FAIL)
        note(client, OK, times=2)
    assert chosen(client) == 0


def test_outcomes_older_than_the_window_are_forgotten(client: Redis) -> None:
    step = int(time.time() * 1000) // 5_000
    old = msgspec.msgpack.encode([[step - 7, 50, 50], [step - 6, 50, 50]])
    client.hset(HEALTH, "w:b1", old)
    note(client, OK)
    assert not client.exists(HEALTH)
    client.hset(HEALTH, "w:b1", msgspec.msgpack.encode([[step - 4, 9, 4]]))
    note(client, FAIL)
    assert chosen(client) == 1


def test_nothing_is_written_while_all_is_well(client: Redis) -> None:
    note(client, OK, times=3)
    assert chosen(client) == 0
    assert not client.exists(HEALTH)
    note(client, FAIL, "b2")
    note(client, OK)
    assert set(client.hgetall(HEALTH)) == {b"f:b2", b"w:b2"}


def test_what_nobody_hears_of_any_more_is_forgotten(client: Redis) -> None:
    note(client, FAIL)
    assert 0 < client.pttl(HEALTH) <= 600_000
    cool(client, "k1", 3_600_000)
    assert client.pttl(HEALTH) > 3_500_000
    note(client, FAIL)
    assert client.pttl(HEALTH) > 3_500_000


def test_a_half_open_breaker_lets_one_probe_through_per_interval(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    let_pass(client)
    assert [chosen(client) for _ in range(4)] == [0, 1, 1, 1]
    assert 0 < int(look(client)[0][1][1:]) <= 5_000
    let_pass(client)
    assert [chosen(client) for _ in range(2)] == [0, 1]


def test_the_success_of_a_probe_closes_and_everything_is_forgotten(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    let_pass(client)
    assert chosen(client) == 0
    note(client, OK)
    assert not client.exists(HEALTH)
    assert [chosen(client) for _ in range(3)] == [0, 0, 0]


def test_a_failed_probe_keeps_it_open_until_the_next_interval(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    let_pass(client)
    assert chosen(client) == 0
    note(client, FAIL)
    assert stored(client)[:1] == b"b"
    assert 0 < wait_of(client, [FIRST]) <= 5_000
    let_pass(client)
    assert [chosen(client) for _ in range(2)] == [0, 1]


def test_late_answers_of_earlier_calls_neither_close_nor_prolong(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    ends = stored(client)
    note(client, OK)
    time.sleep(0.005)
    note(client, FAIL, times=THRESHOLD)
    assert stored(client) == ends
    assert chosen(client) == 1


def test_a_cool_down_ends_by_itself_and_no_success_shortens_it(client: Redis) -> None:
    cool(client, "k1", 60_000)
    note(client, OK, "k1")
    cool(client, "k1", 1_000)
    assert 50_000 < wait_of(client, [FIRST]) <= 60_000
    let_pass(client, "k1")
    assert [chosen(client) for _ in range(2)] == [0, 0]
    note(client, OK, "k1")
    assert not client.exists(HEALTH)


def test_a_cool_down_does_not_close_a_breaker(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    cool(client, "b1", 60_000)
    let_pass(client)
    assert [chosen(client) for _ in range(2)] == [0, 1]


def test_a_pick_and_a_settlement_carry_reports_too(client: Redis) -> None:
    admit = admit_of(0, candidates=BOTH)
    assert run(client, admit)[:2] == [b"OK", 0]
    failures = (Report("b1", FAIL, OPEN_MS, THRESHOLD),) * THRESHOLD
    pick = Pick(USER, admit.reference, BOTH, least_busy=False, reports=failures)
    assert run(client, pick) == [b"OK", 1, 0]
    settle = msgspec.structs.replace(settle_of(admit, 0), reports=(Report("k2", "cool", 9_000),))
    assert run(client, settle)[0] == b"OK"
    assert [row[:3] for row in map(kinds, look(client))] == [["", "b", ""], ["", "", "c"]]


def kinds(row: list[Any]) -> list[Any]:
    return [value[:1].decode() if isinstance(value, bytes) else value for value in row]


def test_a_refusal_tells_the_shortest_wait(client: Redis) -> None:
    cool(client, "l1", 50_000)
    cool(client, "k1", 20_000)
    cool(client, "b2", 30_000)
    assert 29_000 < wait_of(client, BOTH) <= 30_000
    assert 49_000 < wait_of(client, [FIRST]) <= 50_000
    reply: Any = run(client, admit_of(0, candidates=BOTH))
    assert reply[0] == b"BUSY"


def test_full_slots_are_worth_a_second(client: Redis) -> None:
    narrow = Choice("l1", "b1", "k1", 1, 1)
    assert chosen(client, [narrow]) == 0
    assert wait_of(client, [narrow]) == 1_000
    cool(client, "k2", 30_000)
    assert wait_of(client, [narrow, SECOND]) == 1_000
    assert look(client, [narrow]) == [[b"", b"", b"", 1]]


def test_looking_changes_nothing_and_takes_no_probe(client: Redis) -> None:
    note(client, FAIL, times=THRESHOLD)
    cool(client, "k2", 10_000)
    let_pass(client)
    let_pass(client, "k2")
    before = client.hgetall(HEALTH)
    assert look(client) == [[b"", b"b0", b"", 0], [b"", b"", b"", 0]]
    assert client.hgetall(HEALTH) == before
    assert chosen(client, [FIRST]) == 0


def busy(client: Redis, candidate: Choice, calls: int) -> list[Admit]:
    admits = [admit_of(0, candidates=[candidate], least_busy=True) for _ in range(calls)]
    for admit in admits:
        assert run(client, admit)[0] == b"OK"
    return admits


def test_the_least_busy_is_looked_for_in_the_first_tier_that_has_any(client: Redis) -> None:
    busier, idle = Choice("l1", "b1", "", 0, 1, 0), Choice("l2", "b2", "", 0, 1, 0)
    spare = Choice("l3", "b3", "", 0, 9, 1)
    busy(client, busier, 3)
    busy(client, idle, 2)
    everything = (busier, idle, spare)
    assert chosen(client, everything, least_busy=True) == 1
    assert chosen(client, everything) == 0
    for id_ in ("b1", "b2"):
        cool(client, id_, 60_000)
    assert chosen(client, everything, least_busy=True) == 2
    assert chosen(client, everything) == 2


def test_weights_share_out_what_the_least_busy_gets(client: Redis) -> None:
    candidates = (Choice("l1", "b1", "", 0, 1), Choice("l2", "b2", "", 0, 3))
    found = [chosen(client, candidates, least_busy=True) for _ in range(8)]
    assert found.count(1) == 6


def test_a_candidate_of_a_process_of_the_previous_release_has_no_tier(client: Redis) -> None:
    plain = msgspec.to_builtins(admit_of(0, candidates=BOTH, least_busy=True))
    plain["candidates"] = [row[:5] for row in plain["candidates"]]
    packed = msgspec.msgpack.encode(plain)
    [reply] = client.eval(script.source(), 0, EPOCH, packed)
    assert reply[0] == b"OK"
