"""A call on its way through the gateway: what came in, and what was decided about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.admission import Report
from gateway.admission.events import AttemptRecord, HoldInfo
from gateway.catalog import Offer, Target
from gateway.identity import Caller


class Decoded(Protocol):
    """What every decoded request can say, whatever its wire format."""

    @property
    def model(self) -> str: ...
    @property
    def stream(self) -> bool: ...
    @property
    def choices(self) -> int: ...
    @property
    def max_output_tokens(self) -> int | None: ...
    @property
    def prompt_tokens(self) -> int: ...

    def body(
        self,
        upstream_model: str,
        parameters: Mapping[str, Any],
        max_output_tokens: int | None,
        output_field: str,
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One client request, decoded."""

    reference: str
    surface: str
    operation: str
    api_key: str
    request: Decoded
    started: float  # monotonic seconds
    started_ms: int  # since the Unix epoch
    client_ip: str = ""
    user_agent: str = ""


@dataclass(slots=True)
class Entry:
    """An admitted call: its hold is taken and must be settled exactly once."""

    call: Call
    caller: Caller
    offer: Offer
    targets: list[Target]
    hold: HoldInfo
    choice: int
    is_limited: bool
    output_cap: int | None
    # (limit, remaining, reset in seconds) by unit: "r" requests, "t" tokens
    rate_limits: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    is_settled: bool = False
    has_client_left: bool = False
