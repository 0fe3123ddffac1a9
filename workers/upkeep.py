"""Tasks that keep the installation in order: retention, partitions, the consumption heartbeat."""

from gateway import retention
from gateway.queue import Task
from workers.context import task
from workers.process import get_current


@task(Task.RETENTION_PURGE)
def purge() -> None:
    """Let go of rows past their days."""
    worker = get_current()
    worker.tick(
        Task.RETENTION_PURGE, lambda: retention.purge(worker.database, worker.settings.retention)
    )


@task(Task.PARTITIONS_ENSURE)
def ensure_partitions() -> None:
    """Make the partitions of the coming months."""
    worker = get_current()
    worker.tick(Task.PARTITIONS_ENSURE, lambda: retention.ensure_partitions(worker.database))


@task(Task.WORKERS_HEARTBEAT)
def heartbeat(queue_name: str) -> None:
    """Show that messages of a queue are really consumed, and by whom."""
    worker = get_current()
    worker.tick(Task.WORKERS_HEARTBEAT, worker.heartbeat, name=f"heartbeat:{queue_name}")
