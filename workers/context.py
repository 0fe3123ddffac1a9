"""Around every task: the context of its log lines, and what happens when it fails.

An expected failure (Redis or the database is away) is one line when it begins and one when
it is over; the bell rings again anyway. Anything else is left to Celery, which logs it
as an error with its traceback.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from celery import shared_task
from celery.signals import task_postrun, task_prerun
from redis.exceptions import RedisError

from gateway import log
from gateway.errors import UnavailableError
from gateway.queue import Task

EXPECTED = (UnavailableError, RedisError)

_log = log.get(__name__)


class Failures:
    """How often each task has failed, and which of them are failing now."""

    def __init__(self) -> None:
        self.counts: Counter[Task] = Counter()
        self._failing: set[Task] = set()

    def failed(self, task: Task, error: Exception) -> None:
        self.counts[task] += 1
        if task not in self._failing:
            self._failing.add(task)
            _log.warning("task_fails", task=task.value, error=repr(error.__cause__ or error))

    def succeeded(self, task: Task) -> None:
        if task in self._failing:
            self._failing.discard(task)
            _log.info("task_works_again", task=task.value, failures=self.counts[task])


failures = Failures()


def task(name: Task) -> Callable[[Callable[..., None]], Any]:
    """Register a task function under its name, with expected failures counted."""

    def register(function: Callable[..., None]) -> Any:  # noqa: ANN401 - a Celery task
        @wraps(function)
        def run(*object_ids: str) -> None:
            try:
                function(*object_ids)
            except EXPECTED as error:
                failures.failed(name, error)
            else:
                failures.succeeded(name)

        return shared_task(name=name.value, ignore_result=True)(run)

    return register


@task_prerun.connect
def bind_context(task_id: str, task: Any, **_: object) -> None:  # noqa: ANN401
    log.clear()
    log.bind(task=task.name, task_id=task_id)


@task_postrun.connect
def clear_context(**_: object) -> None:
    log.clear()
