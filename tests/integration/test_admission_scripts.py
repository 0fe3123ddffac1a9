"""The admission script, asked directly: exact to the nano wherever Lua's own numbers are not."""

import random
from collections.abc import Generator
from typing import Any

import msgspec
import pytest
from redis import Redis

from gateway.admission import script, window_limits
from gateway.admission.limits import limit_error
from gateway.admission.operations import Admit, Bump, Load, Meter, Sweep
from gateway.cache import connect, keys
from gateway.errors import RateLimitedError
from tests.integration.admitting import (
    APP,
    EPOCH,
    KEY,
    LEASE_MS,
    USER,
    admit_of,
    available,
    load,
    run,
    settle_of,
)
from tests.servers.redis import RedisServer

DOLLAR = 10**9
LIMITS = (
    1,
    100_000 * DOLLAR,
    2**53 - 1,
    2**53,
    2**53 + 1,
    9_007_199_254_740_993,
    9_200_000_000 * DOLLAR,
    2**63 - 1,
)


@pytest.fixture
def client(redis_server: RedisServer) -> Generator[Redis]:
    with connect(redis_server.url) as opened:
        opened.set(keys.EPOCH, EPOCH)
        yield opened


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("level", ["u", "a", "k"])
def test_a_hold_of_all_that_is_left_fits_and_not_one_nano_more(
    client: Redis, level: str, limit: int
) -> None:
    load(client, **{level: limit})
    field = {"u": "u", "a": f"a:{APP}", "k": f"k:{KEY}"}[level]
    if limit < 2**63 - 1:
        assert run(client, admit_of(limit + 1)) == [
            b"QUOTA",
            field.encode(),
            str(limit).encode(),
        ]
    whole = admit_of(limit)
    assert run(client, whole)[0] == b"OK"
    assert available(client, field) == 0
    assert run(client, admit_of(1)) == [b"QUOTA", field.encode(), b"0"]
    assert run(client, settle_of(whole, limit - 1))[0] == b"OK"
    assert available(client, field) == 1
    last = admit_of(1)
    assert run(client, last)[0] == b"OK"
    assert run(client, admit_of(1))[0] == b"QUOTA"


def test_a_refusal_of_one_level_takes_nothing_from_the_others(client: Redis) -> None:
    load(client, u=2**53 + 3, a=2**53 + 2, k=2**53 + 1)
    assert run(client, admit_of(2**53 + 2))[:2] == [b"QUOTA", f"k:{KEY}".encode()]
    assert available(client) == 2**53 + 3
    assert available(client, f"a:{APP}") == 2**53 + 2
    assert available(client, f"k:{KEY}") == 2**53 + 1


@pytest.mark.parametrize("debt", [1, 2**53 + 1, 2**63 - 1])
def test_what_is_overdrawn_admits_nothing_but_what_is_free(client: Redis, debt: int) -> None:
    load(client, u=5, k=-debt)
    reply = run(client, admit_of(2**62))
    assert reply == [b"QUOTA", b"u", b"5"]
    assert run(client, admit_of(5)) == [b"QUOTA", f"k:{KEY}".encode(), str(-debt).encode()]
    assert available(client) == 5
    assert run(client, admit_of(0))[0] == b"OK"
    assert available(client, f"k:{KEY}") == -debt


@pytest.mark.parametrize("limit", [100_000 * DOLLAR, 2**53 + 1, 9_200_000_000 * DOLLAR])
def test_random_holds_and_charges_are_what_whole_numbers_say(client: Redis, limit: int) -> None:
    dice = random.Random(limit)  # noqa: S311
    load(client, u=limit)
    left = limit
    open_holds: list[Admit] = []
    for _ in range(300):
        if open_holds and dice.random() < 0.5:
            admit = open_holds.pop(dice.randrange(len(open_holds)))
            held = int(admit.amount)
            charge = dice.choice((0, 1, held // 3, held - 1, held))
            assert run(client, settle_of(admit, charge))[0] == b"OK"
            left += held - charge
        else:
            amount = max(1, dice.choice((1, left, left + 1, left // 2 + 1, left - 1)))
            admit = admit_of(min(amount, 2**63 - 1))
            if int(admit.amount) <= left:
                assert run(client, admit)[0] == b"OK"
                open_holds.append(admit)
                left -= int(admit.amount)
            else:
                assert run(client, admit) == [b"QUOTA", b"u", str(left).encode()]
        assert available(client) == left
        assert left >= 0


@pytest.mark.parametrize("limit", [2**53 - 1, 2**53 + 1, 9_200_000_000 * DOLLAR])
def test_a_cost_quota_of_a_period_is_exact_too(client: Redis, limit: int) -> None:
    load(client, u=None)

    def meter(amount: int) -> Meter:
        return Meter("p", f"{USER}:20260101dn", str(limit), str(amount), LEASE_MS, "n")

    first = admit_of(0, [meter(limit - 1)])
    assert run(client, first)[0] == b"OK"
    assert run(client, admit_of(0, [meter(2)]))[0] == b"LIMIT"
    assert run(client, admit_of(0, [meter(1)]))[0] == b"OK"
    assert run(client, admit_of(0, [meter(1)]))[0] == b"LIMIT"
    settle = settle_of(first, 0)
    given_back = msgspec.structs.replace(settle, actual={"r": "0", "t": "0", "n": "0"})
    assert run(client, given_back)[0] == b"OK"
    assert run(client, admit_of(0, [meter(limit)]))[0] == b"LIMIT"
    assert run(client, admit_of(0, [meter(limit - 1)]))[0] == b"OK"


def test_a_load_counts_open_holds_and_settlements_that_wait_exactly(client: Redis) -> None:
    limit = 2**53 + 11
    load(client, u=limit)
    charged, open_one, swept = admit_of(2**53 + 1), admit_of(3), admit_of(5, lease_ms=-1)
    for admit in (charged, open_one, swept):
        assert run(client, admit)[0] == b"OK"
    assert run(client, settle_of(charged, 2**53))[0] == b"OK"
    assert run(client, Sweep(10)) == [b"OK", 1]
    assert available(client) == limit - 2**53 - 3
    load(client, u=limit)
    assert available(client) == limit - 2**53 - 3


def test_a_load_from_an_older_database_is_refused(client: Redis) -> None:
    run(client, Bump("user", USER, 2))
    assert run(client, Load(USER, 1, "0-0", {"u": "5"})) == [b"STALE", b"user"]
    client.set(keys.TRIMMED, "5-1")
    assert run(client, Load(USER, 2, "5-0", {"u": "5"})) == [b"RETRY"]
    assert run(client, Load(USER, 2, "5-1", {"u": "5"})) == [b"OK"]


def test_an_operation_that_redis_cannot_reckon_with_does_not_harm_the_others(
    client: Redis,
) -> None:
    load(client, u=10)
    good, after = admit_of(4), admit_of(6)
    bad = msgspec.structs.replace(admit_of(0), amount=str(2**70))
    replies = script.run(client, [good, bad, after])
    assert [reply[0] for reply in replies] == [b"OK", b"ERROR", b"OK"]
    assert available(client) == 0


def test_a_swept_hold_is_not_revived_by_a_renewal_and_settles_late(client: Redis) -> None:
    load(client, u=10)
    admit = admit_of(10, lease_ms=-1)
    assert run(client, admit)[0] == b"OK"
    assert run(client, Sweep(10)) == [b"OK", 1]
    assert available(client) == 10
    assert run(client, settle_of(admit, 7))[0] == b"LATE"
    assert available(client) == 10  # the drain has it loaded anew


def test_a_full_stream_keeps_the_charge_until_it_is_replayed(client: Redis) -> None:
    load(client, u=10)
    first, second = admit_of(4), admit_of(4)
    for admit in (first, second):
        assert run(client, admit)[0] == b"OK"
    assert run(client, settle_of(first, 3))[0] == b"OK"
    full = msgspec.structs.replace(settle_of(second, 1), max_backlog=1)
    assert run(client, full) == [b"FULL"]
    assert available(client) == 6
    load(client, u=10)
    assert available(client) == 6
    assert run(client, msgspec.structs.replace(full, max_backlog=9))[0] == b"OK"
    assert available(client) == 6


def test_nothing_runs_in_another_epoch_but_what_is_true_in_any(client: Redis) -> None:
    load(client, u=10)
    replies = script.run(client, [admit_of(1), Bump("user", USER, 3)], epoch=b"old@run")
    assert [reply[0] for reply in replies] == [b"EPOCH", b"OK"]
    client.delete(keys.EPOCH)
    assert run(client, admit_of(1))[0] == b"EPOCH"


def window(key: str, limit: int, amount: int = 1, unit: str = "r") -> Meter:
    return Meter("w", f"{USER}:{key}", str(limit), str(amount), 3_600_000, unit)


def test_a_refusal_says_what_every_meter_has_left(client: Redis) -> None:
    load(client)
    period = Meter("p", f"{USER}:20260101dt", "100", "7", 20_000, "t")
    meters = [window("rate", 2), window("tpm", 50, 20, "t"), period]
    for left in ((b"1", b"30", b"93"), (b"0", b"10", b"86")):
        reply: Any = run(client, admit_of(0, meters))
        assert reply[0] == b"OK"
        assert tuple(remaining for remaining, _ in reply[2]) == left
    reply = run(client, admit_of(0, meters))
    assert reply[0] == b"LIMIT"
    assert tuple(remaining for remaining, _ in reply[3]) == (b"0", b"10", b"86")
    assert 0 < int(reply[3][0][1]) <= 3_600_000
    assert reply[3][2][1] == b"20000"
    error = limit_error(meters, reply[1], int(reply[2]), reply[3])
    assert isinstance(error, RateLimitedError)
    told = {unit: row[:2] for unit, row in error.rate_limits.items()}
    assert told == {"r": ("2", "0"), "t": ("50", "10")}
    assert 0 < error.rate_limits["r"][2] <= 2 * 3_600


def test_the_tighter_of_two_windows_is_told(client: Redis) -> None:
    load(client)
    meters = [window("rate", 5), window("chat:rate", 3)]
    reply: Any = run(client, admit_of(0, meters))
    assert window_limits(meters, reply[2])["r"][:2] == ("3", "2")
    assert window_limits(meters[::-1], reply[2][::-1])["r"][:2] == ("3", "2")
    for _ in range(2):
        assert run(client, admit_of(0, meters))[0] == b"OK"
    assert run(client, admit_of(0, meters))[:2] == [b"LIMIT", 1]
    assert run(client, admit_of(0, meters[:1]))[0] == b"OK"


@pytest.mark.parametrize("index", [0, 1])
def test_of_two_refusals_the_longer_one_is_told(client: Redis, index: int) -> None:
    load(client)
    meters = [window("rate", 1)]
    meters.insert(index, Meter("p", f"{USER}:20260101dr", "1", "1", 80_000_000, "r"))
    assert run(client, admit_of(0, meters))[0] == b"OK"
    reply: Any = run(client, admit_of(0, meters))
    assert reply[:3] == [b"LIMIT", index, b"80000000"]


def test_a_counter_outlives_its_period_for_calls_that_end_late(client: Redis) -> None:
    load(client)
    assert run(client, admit_of(0, [Meter("p", "user:day", "9", "1", 5_000, "r")]))[0] == b"OK"
    assert client.pttl("sluice:1:m:user:day") > 3_600_000
