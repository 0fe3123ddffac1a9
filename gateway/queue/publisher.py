"""Publishing without waiting: one daemon thread per process sends what others put down.

Failure policy: a message that cannot be sent is dropped and counted. The row it is about is
the truth, and the sweeps find rows nobody was told of.
"""

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple

from celery import Celery

from gateway import clock, log
from gateway.queue.names import Queue, Task

MAX_BATCH = 200
MAX_WAITING = 10_000
# After a failure the broker is left alone for this long.
OPEN_SECONDS = 2.0
STOP_SECONDS = 5.0

_log = log.get(__name__)


class Message(NamedTuple):
    task: Task
    id: str
    queue: Queue


class Publisher:
    """``publish`` never blocks and never raises, whatever state the broker is in."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._waiting: SimpleQueue[Message | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._closed_until = 0.0
        self._failing = False
        self.sent = 0
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is waiting, as far as the broker takes it within seconds."""
        self._waiting.put(None)
        self._thread.join(STOP_SECONDS)

    def publish(self, task: Task, object_id: str, queue: Queue) -> None:
        if self._waiting.qsize() >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.put(Message(task, object_id, queue))

    def _run(self) -> None:
        running = True
        while running:
            batch = self._take()
            running = None not in batch
            messages = [message for message in batch if message is not None]
            if clock.monotonic() < self._closed_until:
                self.dropped += len(messages)
            elif messages:
                self._send(messages)

    def _take(self) -> list[Message | None]:
        batch = [self._waiting.get()]
        while len(batch) < MAX_BATCH:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return batch

    def _send(self, messages: Sequence[Message]) -> None:
        try:
            with (
                self._app.producer_pool.acquire(block=True, timeout=OPEN_SECONDS) as producer,
                producer.batch(),  # type: ignore[attr-defined]
            ):
                for message in messages:
                    self._app.send_task(
                        message.task.value,
                        args=(message.id,),
                        queue=message.queue.value,
                        producer=producer,
                        retry=False,
                    )
        except Exception as error:  # noqa: BLE001 - every transport has its own exceptions
            self.dropped += len(messages)
            self._closed_until = clock.monotonic() + OPEN_SECONDS
            self._note(failing=True, reason=repr(error))
        else:
            self.sent += len(messages)
            self._note(failing=False)

    def _note(self, *, failing: bool, reason: str = "") -> None:
        if failing and not self._failing:
            _log.warning("publishing_fails", reason=reason)
        elif self._failing and not failing:
            _log.info("publishing_works_again", dropped=self.dropped)
        self._failing = failing
