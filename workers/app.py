"""The Celery app of the worker, as ``celery -A workers.app`` finds it."""

import logging

from celery import Celery
from celery.signals import setup_logging, worker_process_shutdown, worker_shutdown

from gateway import log, queue, settings
from workers import process

# They write two lines per task, and a bell rings every second.
PER_TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace")

TASKS = ("workers.accounting", "workers.upkeep")


def create_app() -> Celery:
    created = queue.configure(settings.load())
    created.conf.include = TASKS
    return created


@setup_logging.connect
def configure_logging(**_: object) -> None:
    given = settings.load()
    log.configure(given.log_level, given.log_format)
    for name in PER_TASK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_shutdown.connect
@worker_process_shutdown.connect
def close(**_: object) -> None:
    process.close_current()


# Celery looks for an attribute of this name.
app = create_app()
