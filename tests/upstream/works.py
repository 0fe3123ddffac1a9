"""The works that the vendor has accepted: what they are, how far they are, what they cost.

A work is counted from the moment it is accepted, whoever learns of it. How far it is depends on
nothing but the time, its fault and what was done to it, so it is reckoned when somebody asks.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from tests.upstream.behaviour import NO_FAULT, Fault
from tests.upstream.gates import Gates

MOST_WORKS = 20_000
QUEUED_PERCENT = 20
STUCK_PERCENT = 50


class WorkState(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    AWAITING_INPUT = "awaiting_input"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


FINAL = frozenset({WorkState.COMPLETED, WorkState.FAILED, WorkState.CANCELLED, WorkState.DELETED})


class Standing(NamedTuple):
    state: WorkState
    progress: int

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


@dataclass(slots=True, eq=False)
class Work:
    """One accepted order; ``units`` is what a vendor would charge for."""

    number: int
    kind: str
    id: str
    model: str
    key: str
    prompt: str
    units: float
    fault: Fault
    takes_ms: int
    accepted_at: float
    # Whatever the vendor's own answers need to say about it.
    details: dict[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    submits: int = 1
    polls: int = 0
    started_at: float = 0.0
    finished_at: float | None = None
    awaits_input: bool = False
    fetched_as_finished: bool = False
    # Said instead of the reckoned standing once somebody has cancelled or deleted it.
    ended: Standing | None = None
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_lost(self) -> bool:
        return "lost" in self.fault.flags

    def snapshot(self, standing: Standing) -> dict[str, Any]:
        return {
            "number": self.number,
            "kind": self.kind,
            "id": self.id,
            "model": self.model,
            "key": self.key,
            "prompt": self.prompt,
            "units": self.units,
            "fault": self.fault.describe(),
            "state": standing.state,
            "progress": standing.progress,
            "lost": self.is_lost,
            "submits": self.submits,
            "polls": self.polls,
            "idempotency_key": self.idempotency_key,
            "accepted_at": self.accepted_at,
            "finished_at": self.finished_at,
            "callbacks": self.callbacks,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """What an answer asks the works to accept."""

    kind: str
    id: str
    prompt: str = ""
    units: float = 1
    takes_ms: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    awaits_input: bool = False


@dataclass(slots=True)
class Works:
    gates: Gates = field(default_factory=Gates)
    by_id: dict[str, Work] = field(default_factory=dict)
    last_number: int = 0
    # What was answered to an idempotency key, and the work behind it.
    answered: dict[tuple[str, str, str], tuple[Work, Any]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, order: Order, model: str, key: str, fault: Fault = NO_FAULT) -> Work:
        now = time.time()
        self.last_number += 1
        takes_ms = order.takes_ms if fault.work_ms is None else fault.work_ms
        work = Work(
            self.last_number,
            order.kind,
            order.id,
            model,
            key,
            order.prompt,
            order.units,
            fault,
            takes_ms,
            now,
            order.details,
            started_at=now,
            awaits_input=order.awaits_input,
        )
        self.by_id[work.id] = work
        if len(self.by_id) > MOST_WORKS:
            del self.by_id[next(iter(self.by_id))]
        return work

    def standing(self, work: Work) -> Standing:
        now = time.time()
        standing = work.ended or self._reckon(work, now)
        if standing.is_final and work.finished_at is None:
            work.finished_at = now
        return standing

    def find(self, wanted: str) -> Work | None:
        """The work, unless it has got lost."""
        work = self.by_id.get(wanted)
        return None if work is None or work.is_lost else work

    def poll(self, wanted: str) -> Work | None:
        """As ``find``, counted; a lost work counts too."""
        known = self.by_id.get(wanted)
        if known is None:
            return None
        known.polls += 1
        if self.standing(known).is_final:
            known.fetched_as_finished = True
        return self.find(wanted)

    def end(self, work: Work, state: WorkState) -> None:
        work.ended = Standing(state, self.standing(work).progress)
        self.standing(work)

    def confirm(self, work: Work) -> None:
        """It has got the input that it awaited, and begins."""
        work.awaits_input = False
        work.started_at = time.time()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def snapshots(self, **wanted: str) -> Iterator[dict[str, Any]]:
        for work in self.by_id.values():
            snapshot = work.snapshot(self.standing(work))
            if all(snapshot[name] == value for name, value in wanted.items()):
                yield snapshot

    def clear(self) -> None:
        self.by_id.clear()
        self.answered.clear()
        for task in self.tasks:
            task.cancel()

    def _reckon(self, work: Work, now: float) -> Standing:
        if work.awaits_input:
            return Standing(WorkState.AWAITING_INPUT, 0)
        percent = 100
        if work.takes_ms and work.finished_at is None:
            percent = min(100, int((now - work.started_at) * 100_000 / work.takes_ms))
        if work.fault.fail_at is not None and percent >= work.fault.fail_at:
            return Standing(WorkState.FAILED, work.fault.fail_at)
        percent = min(percent, self._limit(work))
        if percent >= 100:
            return Standing(WorkState.COMPLETED, 100)
        if percent < QUEUED_PERCENT:
            return Standing(WorkState.QUEUED, 0)
        return Standing(WorkState.IN_PROGRESS, percent)

    def _limit(self, work: Work) -> int:
        if "stuck" in work.fault.flags:
            return STUCK_PERCENT
        if work.finished_at is None and self._is_held(work):
            return 99
        return 100

    def _is_held(self, work: Work) -> bool:
        gates = work.fault.gates
        return any(place == "finish" and not self.gates.get(name).is_open for name, place in gates)


def summarize(snapshots: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {}
    for work in snapshots:
        kind = kinds.setdefault(work["kind"], {"works": 0, "units": 0, "submits": 0, "states": {}})
        kind["works"] += 1
        kind["units"] += work["units"]
        kind["submits"] += work["submits"]
        kind["states"][work["state"]] = kind["states"].get(work["state"], 0) + 1
    return kinds
