"""The admission script, asked directly: exact to the nano wherever Lua's own numbers are not."""

import itertools
import random
from collections.abc import Generator, Sequence

import msgspec
import pytest
from redis import Redis

from gateway.admission import script
from gateway.admission.operations import (
    Admit,
    Bump,
    Choice,
    Load,
    Meter,
    Operation,
    Settle,
    Sweep,
)
from gateway.cache import connect, keys
from tests.servers.redis import RedisServer

EPOCH = b"epoch@run"
USER, APP, KEY = "user", "app", "key"
LEASE_MS = 60_000
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
_references = itertools.count()


@pytest.fixture
def client(redis_server: RedisServer) -> Generator[Redis]:
    with connect(redis_server.url) as opened:
        opened.set(keys.EPOCH, EPOCH)
        yield opened


def run(client: Redis, operation: Operation) -> script.Reply:
    [reply] = script.run(client, [operation])
    return reply


def load(client: Redis, **levels: int | None) -> None:
    """Load what is available of the levels u, a and k; None is unlimited."""
    names = {"u": "u", "a": f"a:{APP}", "k": f"k:{KEY}"}
    given = {**dict.fromkeys(names), **levels}
    base = {names[level]: "inf" if left is None else str(left) for level, left in given.items()}
    assert run(client, Load(USER, 0, "0-0", base))[0] == b"OK"


def admit_of(amount: int, meters: Sequence[Meter] = (), lease_ms: int = LEASE_MS) -> Admit:
    return Admit(
        reference=f"req_{next(_references)}",
        user=USER,
        user_revision=0,
        policy="policy",
        policy_revision=0,
        catalog_revision=0,
        app=APP,
        key=KEY,
        amount=str(amount),
        meters=tuple(meters),
        candidates=(Choice("link", "backend", "", 0, 1),),
        least_busy=False,
        lease_ms=lease_ms,
        info="{}",
    )


def settle_of(admit: Admit, charge: int) -> Settle:
    return Settle(
        reference=admit.reference,
        user=USER,
        app=APP,
        key=KEY,
        amount=str(charge),
        change=str(int(admit.amount) - charge),
        actual={"r": "1", "t": "0", "n": str(charge)},
        reports=(),
        event="{}",
        max_backlog=1_000,
    )


def available(client: Redis, field: str = "u") -> int:
    value = client.hget(keys.allowance(USER), field)
    assert isinstance(value, bytes)
    return int(value)


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
