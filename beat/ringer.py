"""Ringing the bells of a schedule until told to stop.

Failure policy: a bell that cannot be rung is skipped, its next turn comes soon enough. While
the broker is away it is tried once a second, and only the change of that state is logged.
"""

import heapq
import threading
from collections.abc import Sequence
from typing import Any

from celery import Celery

from beat.schedule import Bell
from gateway import clock, log

PAUSE_SECONDS = 1.0
# Nobody reads a queue this long: more bells would only fill Redis.
MAX_WAITING = 100

_log = log.get(__name__)


class Ringer:
    def __init__(self, app: Celery, schedule: Sequence[Bell]) -> None:
        self._app = app
        self._schedule = schedule
        self._due = [(clock.monotonic(), index) for index in range(len(schedule))]
        self._is_failing = False
        self._unread: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self._seconds_to_next()):
            bells = self._take_due()
            if not self._ring(bells):
                stop.wait(PAUSE_SECONDS)

    def _seconds_to_next(self) -> float:
        return max(0.0, self._due[0][0] - clock.monotonic())

    def _take_due(self) -> list[Bell]:
        """The bells whose time has come; turns that were missed are not made up for."""
        now = clock.monotonic()
        bells = []
        while self._due[0][0] <= now:
            due_at, index = self._due[0]
            bell = self._schedule[index]
            next_at = due_at + bell.every_seconds
            if next_at <= now:
                next_at = now + bell.every_seconds
            heapq.heapreplace(self._due, (next_at, index))
            bells.append(bell)
        return bells

    def _ring(self, bells: Sequence[Bell]) -> bool:
        try:
            with self._app.producer_pool.acquire(block=True, timeout=PAUSE_SECONDS) as producer:
                for bell in bells:
                    if self._is_read(producer, bell.queue.value):
                        self._app.send_task(
                            bell.task.value,
                            args=() if bell.object_id is None else (bell.object_id,),
                            queue=bell.queue.value,
                            expires=bell.every_seconds,
                            producer=producer,
                            retry=False,
                        )
        except Exception as error:  # noqa: BLE001 - every transport has its own exceptions
            self._note(failing=True, reason=repr(error))
            return False
        self._note(failing=False)
        return True

    def _is_read(self, producer: Any, queue: str) -> bool:  # noqa: ANN401 - kombu's producer
        waiting = producer.channel.queue_declare(queue=queue).message_count
        if waiting < MAX_WAITING:
            self._unread.discard(queue)
            return True
        if queue not in self._unread:
            self._unread.add(queue)
            _log.warning("no_worker_reads_queue", queue=queue, waiting=waiting)
        return False

    def _note(self, *, failing: bool, reason: str = "") -> None:
        if failing and not self._is_failing:
            _log.warning("ringing_fails", reason=reason)
        elif self._is_failing and not failing:
            _log.info("ringing_works_again")
        self._is_failing = failing
