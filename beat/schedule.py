"""The schedule as a table: which bell is rung how often, for which task, on which queue.

A bell only says "look": the task takes the lease of its tick in the database, which knows
when it is due. So any number of beats may ring, and long periods survive a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.queue import Queue, Task, list_periods
from gateway.settings import Settings

# Work with a longer period is offered this often; the database decides.
LONGEST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Bell:
    name: str
    every_seconds: float
    task: Task
    queue: Queue
    object_id: str | None = None


QUEUES = {
    Task.LEDGER_DRAIN: Queue.MAINTENANCE,
    Task.LEDGER_APPLY_EFFECTS: Queue.MAINTENANCE,
    Task.HOLDS_SWEEP: Queue.MAINTENANCE,
    Task.PARTITIONS_ENSURE: Queue.MAINTENANCE,
    Task.RETENTION_PURGE: Queue.MAINTENANCE,
    Task.LEDGER_VERIFY: Queue.CPU,
}


def build_schedule(settings: Settings) -> Sequence[Bell]:
    """All bells; every queue has a heartbeat of its own, so a queue nobody reads shows."""
    periods = list_periods(settings)
    work = [
        Bell(task.value, min(periods[task].every_seconds, LONGEST_SECONDS), task, queue)
        for task, queue in QUEUES.items()
    ]
    heartbeat = Task.WORKERS_HEARTBEAT
    beats = [
        Bell(
            f"heartbeat:{queue.value}",
            periods[heartbeat].every_seconds,
            heartbeat,
            queue,
            object_id=queue.value,
        )
        for queue in Queue
    ]
    return [*work, *beats]
