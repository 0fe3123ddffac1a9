"""How often periodic work is done, and how long its owner may be silent."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.queue.names import Task
from gateway.settings import Settings

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Period:
    every_seconds: float
    lease_seconds: float


def list_periods(settings: Settings) -> Mapping[Task, Period]:
    """The period of every task that runs by itself."""
    return {
        Task.LEDGER_DRAIN: Period(settings.drain.tick_seconds, settings.drain.lease_seconds),
        Task.LEDGER_APPLY_EFFECTS: Period(2, MINUTE),
        Task.HOLDS_SWEEP: Period(settings.admission.sweep_seconds, MINUTE),
        Task.LEDGER_VERIFY: Period(DAY, HOUR),
        Task.RETENTION_PURGE: Period(HOUR, HOUR),
        Task.PARTITIONS_ENSURE: Period(HOUR, 10 * MINUTE),
        Task.WORKERS_HEARTBEAT: Period(settings.worker.heartbeat_seconds, MINUTE),
    }
