"""A call on its way through the gateway: what came in, and what was decided about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.admission import Report
from gateway.admission.events import AttemptRecord, HoldInfo
from gateway.catalog import Offer
from gateway.identity import Caller
from gateway.protocols import canonical
from gateway.protocols.errors import Dialect
from gateway.protocols.exchange import Request
from gateway.routing import Candidate


@dataclass(frozen=True, slots=True)
class Call:
    """One client request, decoded."""

    reference: str
    surface: str
    operation: str
    api_key: str
    request: Request
    dialect: Dialect  # of errors and headers
    started: float  # monotonic seconds
    started_ms: int  # since the Unix epoch
    client_ip: str = ""
    user_agent: str = ""
    region: str | None = None  # that the client asks for
    # Of the client's headers, those that are passed on upstream.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """An admitted call: its hold is taken and must be settled exactly once."""

    call: Call
    caller: Caller
    offer: Offer
    candidates: list[Candidate]
    hold: HoldInfo
    choice: int
    is_probe: bool  # whether the first attempt is one
    is_limited: bool
    output_cap: int | None
    # (limit, remaining, reset in seconds) by unit: "r" requests, "t" tokens
    rate_limits: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    # The canonical request with its files fetched, by which kinds of files were.
    fetched: dict[tuple[bool, bool], canonical.Call] = field(default_factory=dict)
    is_settled: bool = False
    has_client_left: bool = False
