"""Admission of one call: what the script answers, turned into a grant or a named error.

Failure policy: closed. Without an answer from Redis there is no grant; the relay decides
whether the operator wants to serve without limits then.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway import log, money
from gateway.admission.allowances import get_allowance_base
from gateway.admission.gate import Gate, GateClosedError
from gateway.admission.limits import limit_error
from gateway.admission.operations import (
    Admit,
    Check,
    Choice,
    Load,
    Look,
    Note,
    Pick,
    Report,
)
from gateway.cache import keys
from gateway.db import Database
from gateway.errors import (
    BackendsFullError,
    InsufficientQuotaError,
    InvalidRequestError,
    NoBackendError,
)

MAX_LOADS = 5
LONGEST_WALK = 50_000  # entries; about 100 ms of the script
# Redis counts in 64-bit integers.
MAX_AMOUNT = 2**63 - 1

_log = log.get(__name__)


class StaleSnapshotError(Exception):
    """The snapshot that the caller decided by is older than what Redis knows."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class QuotaShortError(InsufficientQuotaError):
    """The hold does not fit; ``available_nanos`` is what the tightest level still has."""

    def __init__(self, available_nanos: int) -> None:
        super().__init__(
            f"The remaining allowance ({money.format_usd(max(0, available_nanos))} USD)"
            " does not cover this request."
        )
        self.available_nanos = available_nanos


@dataclass(frozen=True, slots=True)
class Grant:
    """A hold is taken; ``choice`` is the index of the candidate to try first."""

    choice: int
    # what is left and when it resets (ms), per meter of the call
    remaining: list[list[bytes]]
    is_limited: bool
    is_probe: bool = False  # a breaker is closed by how this turns out


@dataclass(frozen=True, slots=True)
class Shut:
    """Why something is not asked right now; a breaker whose time is over waits for a probe."""

    by: str  # "cool-down" or "breaker"
    left_ms: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What admission knows of a candidate; None: nothing stands against it."""

    link: Shut | None
    backend: Shut | None
    provider_key: Shut | None
    open_slots: int


class Admission:
    def __init__(self, gate: Gate, database: Database) -> None:
        self._gate = gate
        self._database = database
        self._loads: dict[str, asyncio.Task[None]] = {}

    async def admit(self, operation: Admit, on_orphan: Callable[[], None]) -> Grant:
        """Take hold and slot; ``on_orphan`` gives them back if we are cancelled meanwhile."""
        if max(int(amount) for amount in _amounts(operation)) > MAX_AMOUNT:
            raise InvalidRequestError("The request asks for more than can be counted.")
        for _ in range(MAX_LOADS):
            reply = await self._ask(operation, on_orphan)
            if reply[0] == b"OK":
                return Grant(reply[1], reply[2], bool(reply[3]), bool(reply[4]))
            if reply[0] != b"COLD":
                raise _refusal(reply, operation)
            await self._load(operation.user)
        raise GateClosedError

    async def _ask(self, operation: Admit, on_orphan: Callable[[], None]) -> Any:  # noqa: ANN401
        future = self._gate.send(operation)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: _give_back(done, on_orphan))
            raise

    async def check(self, operation: Check) -> None:
        """Raise StaleSnapshotError if any of the snapshots has been overtaken."""
        reply: Any = await self._gate.ask(operation)
        if reply[0] != b"OK":
            raise _refusal(reply, None)

    async def pick(self, operation: Pick) -> tuple[int, bool]:
        """Choose another candidate under the same hold, perhaps a probe; raises NoBackendError."""
        reply: Any = await self._gate.ask(operation)
        if reply[0] != b"OK":
            raise _refusal(reply, None)
        return int(reply[1]), bool(reply[2])

    async def note(self, reports: tuple[Report, ...]) -> None:
        """Let other calls know at once; never waits, and a closed gate is no failure of ours."""
        self._gate.tell(Note(reports))

    async def look(self, candidates: tuple[Choice, ...]) -> list[Condition]:
        """What would decide between these candidates now; changes nothing."""
        reply: Any = await self._gate.ask(Look(candidates))
        if reply[0] != b"OK":
            raise _refusal(reply, None)
        return [
            Condition(_shut(link), _shut(backend), _shut(provider_key), slots)
            for link, backend, provider_key, slots in reply[1]
        ]

    async def _load(self, user_id: str) -> None:
        """Calls of one user that come at once share one loading."""
        running = self._loads.get(user_id)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._load_now(user_id))
            self._loads[user_id] = running
            running.add_done_callback(lambda _: self._loads.pop(user_id, None))
        await asyncio.shield(running)

    async def _load_now(self, user_id: str) -> None:
        """Bring the user's allowances from the database into Redis.

        The script walks through all that is not drained yet, and nobody else is served
        meanwhile: behind a long backlog this one user has to wait for the drain.
        """
        if await self._gate.redis.xlen(keys.STREAM) > LONGEST_WALK:
            raise GateClosedError
        base = await self._database.read(get_allowance_base, user_id)
        reply: Any = await self._gate.ask(
            Load(user_id, base.revision, base.watermark, base.available)
        )
        # RETRY: the drain moved on between our read and now; the next round reads again.
        if reply[0] == b"EPOCH":
            raise GateClosedError


def _amounts(operation: Admit) -> list[str]:
    return [operation.amount, *(meter.amount for meter in operation.meters)]


def _give_back(done: "asyncio.Future[Any]", on_orphan: Callable[[], None]) -> None:
    if not done.cancelled() and done.exception() is None and done.result()[0] == b"OK":
        on_orphan()


def _shut(state: bytes) -> Shut | None:
    if not state:
        return None
    return Shut("cool-down" if state[:1] == b"c" else "breaker", int(state[1:]))


def _refusal(reply: Any, operation: Admit | None) -> Exception:  # noqa: ANN401
    match reply[0]:
        case b"STALE":
            return StaleSnapshotError(reply[1].decode())
        case b"QUOTA":
            return QuotaShortError(int(reply[2]))
        case b"LIMIT" if operation is not None:
            return limit_error(operation.meters, int(reply[1]), int(reply[2]), reply[3])
        case b"BUSY":
            error = BackendsFullError() if reply[2] else NoBackendError()
            return error.with_retry_after(max(1.0, int(reply[1]) / 1000))
        case _:
            if reply[0] == b"ERROR":
                _log.error("admission_failed", error=reply[1].decode())
            return GateClosedError()
