"""The names of queues and tasks: the one list that publishers, workers and beat share."""

from enum import StrEnum


class Queue(StrEnum):
    """One queue per class of work, so that a flood of one cannot delay another."""

    INTERACTIVE = "interactive"  # jobs that a client waits for
    BULK = "bulk"
    POLL = "poll"
    WEBHOOK = "webhook"
    MAINTENANCE = "maintenance"
    CPU = "cpu"  # long computations; a group of its own runs them in processes


class Task(StrEnum):
    LEDGER_DRAIN = "ledger.drain"
    LEDGER_APPLY_EFFECTS = "ledger.apply_effects"
    LEDGER_VERIFY = "ledger.verify"
    HOLDS_SWEEP = "holds.sweep"
    RETENTION_PURGE = "retention.purge"
    PARTITIONS_ENSURE = "partitions.ensure"
    WORKERS_HEARTBEAT = "workers.heartbeat"
