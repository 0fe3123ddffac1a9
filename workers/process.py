"""What one worker process holds open; opened at its first task, which is after any fork."""

import os
import threading
from collections.abc import Callable, Mapping

from redis import Redis

from gateway import admission, cache, db, ids, queue, settings
from gateway.queue import Period, Task
from gateway.settings import Settings

_lock = threading.Lock()
_current: "WorkerProcess | None" = None


class WorkerProcess:
    def __init__(self, given: Settings) -> None:
        self.settings = given
        self.identity = queue.identify("worker")
        self.database = db.Database.connect(
            given.resolved_database_url, given.database, f"sluice worker {os.getpid()}"
        )
        self.redis: Redis = cache.connect(given.resolved_redis_url)
        self._periods: Mapping[Task, Period] = queue.list_periods(given)

    def tick(self, task: Task, work: Callable[[], object], name: str | None = None) -> bool:
        """Do periodic work if it is due and no other process does it."""
        period = self._periods[task]
        return queue.run_tick(
            self.database, name or task.value, period.every_seconds, work, period.lease_seconds
        )

    def heartbeat(self) -> None:
        """Let the other processes and the operator know that this one works."""
        with self.database.transaction() as session:
            queue.record_heartbeat(session, self.identity)

    def new_owner(self) -> str:
        """A name for one run, which no other run of this or another process has."""
        return f"{self.identity.host[:24]}:{self.identity.pid}:{ids.new_uuid()[-12:]}"

    def close(self) -> None:
        self.redis.close()
        self.database.close()


def get_current() -> WorkerProcess:
    """The resources of this process; a forked child opens its own."""
    global _current  # noqa: PLW0603 - Celery gives tasks nothing to carry it in
    with _lock:
        if _current is None or _current.identity.pid != os.getpid():
            _current = WorkerProcess(settings.load())
            db.announce(admission.announcer(_current.settings.resolved_redis_url))
        return _current


def close_current() -> None:
    global _current  # noqa: PLW0603
    with _lock:
        if _current is not None and _current.identity.pid == os.getpid():
            _current.close()
        _current = None
