"""What tests of the admission script share: one user, one app, one key, and their operations."""

import itertools
from collections.abc import Sequence

from redis import Redis

from gateway.admission import script
from gateway.admission.operations import Admit, Choice, Load, Meter, Operation, Settle
from gateway.cache import keys

EPOCH = b"epoch@run"
USER, APP, KEY = "user", "app", "key"
LEASE_MS = 60_000
ANYWHERE = (Choice("link", "backend", "", 0, 1),)
_references = itertools.count()


def run(client: Redis, operation: Operation) -> script.Reply:
    [reply] = script.run(client, [operation])
    return reply


def load(client: Redis, **levels: int | None) -> None:
    """Load what is available of the levels u, a and k; None is unlimited."""
    names = {"u": "u", "a": f"a:{APP}", "k": f"k:{KEY}"}
    given = {**dict.fromkeys(names), **levels}
    base = {names[level]: "inf" if left is None else str(left) for level, left in given.items()}
    assert run(client, Load(USER, 0, "0-0", base))[0] == b"OK"


def admit_of(
    amount: int,
    meters: Sequence[Meter] = (),
    lease_ms: int = LEASE_MS,
    candidates: Sequence[Choice] = ANYWHERE,
    *,
    least_busy: bool = False,
) -> Admit:
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
        candidates=tuple(candidates),
        least_busy=least_busy,
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
