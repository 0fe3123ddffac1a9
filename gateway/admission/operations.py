"""The operations of the admission script, as they travel to Redis.

Amounts of money are decimal strings: Lua's numbers are exact only up to 2^53. JSON travels
as text, because Redis' msgpack does not know the binary type.
"""

import msgspec


class Meter(msgspec.Struct, array_like=True, frozen=True):
    """One limit that this call counts against; see ``lua/meters.lua`` for the kinds."""

    kind: str  # "w" sliding window, "p" period, "c" concurrency
    key: str
    limit: str
    amount: str
    window_ms: int
    unit: str  # "r" requests, "t" tokens, "n" nanos


class Choice(msgspec.Struct, array_like=True, frozen=True):
    """A candidate as the script sees it; ``slots`` 0 means without a bound."""

    link_id: str
    backend_id: str
    provider_key_id: str
    slots: int
    weight: int
    tier: int = 0  # candidates come ordered by it


class Report(msgspec.Struct, array_like=True, frozen=True):
    """What an attempt says about the health of a link, backend or key."""

    id: str
    verdict: str  # "ok", "fail" or "cool"
    for_ms: int = 0
    threshold: int = 0


class Admit(msgspec.Struct, tag_field="op", tag="admit", frozen=True):
    reference: str
    user: str
    user_revision: int
    policy: str
    policy_revision: int
    catalog_revision: int
    app: str
    key: str
    amount: str
    meters: tuple[Meter, ...]
    candidates: tuple[Choice, ...]
    least_busy: bool
    lease_ms: int
    info: str


class Check(msgspec.Struct, tag_field="op", tag="check", frozen=True):
    user: str
    user_revision: int
    policy: str
    policy_revision: int
    catalog_revision: int


class Pick(msgspec.Struct, tag_field="op", tag="pick", frozen=True):
    user: str
    reference: str
    candidates: tuple[Choice, ...]
    least_busy: bool
    reports: tuple[Report, ...]


class Note(msgspec.Struct, tag_field="op", tag="note", frozen=True):
    """Health that other calls should know of before this one ends."""

    reports: tuple[Report, ...]


class Look(msgspec.Struct, tag_field="op", tag="look", frozen=True):
    candidates: tuple[Choice, ...]


class Settle(msgspec.Struct, tag_field="op", tag="settle", frozen=True):
    reference: str
    user: str
    app: str
    key: str
    amount: str
    change: str
    actual: dict[str, str]
    reports: tuple[Report, ...]
    event: str
    max_backlog: int
    replay: bool = False


class Renew(msgspec.Struct, tag_field="op", tag="renew", frozen=True):
    members: list[str]
    lease_ms: int


class Reopen(msgspec.Struct, tag_field="op", tag="reopen", frozen=True):
    user: str
    reference: str
    app: str
    key: str
    amount: str
    info: str
    lease_ms: int


class Sweep(msgspec.Struct, tag_field="op", tag="sweep", frozen=True):
    limit: int


class Load(msgspec.Struct, tag_field="op", tag="load", frozen=True):
    user: str
    user_revision: int
    watermark: str
    base: dict[str, str]


class Bump(msgspec.Struct, tag_field="op", tag="bump", frozen=True):
    kind: str
    id: str
    revision: int


class Trim(msgspec.Struct, tag_field="op", tag="trim", frozen=True):
    watermark: str


Operation = (
    Admit | Check | Pick | Note | Look | Settle | Renew | Reopen | Sweep | Load | Bump | Trim
)

encode = msgspec.msgpack.Encoder().encode
