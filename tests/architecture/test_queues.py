"""Every queue is read, every task exists, and every bell rings for one of them."""

from beat.schedule import build_schedule
from gateway.queue import Queue, Task, configure, list_periods
from gateway.settings import Settings
from workers.app import app
from workers.groups import ALL, GROUPS


def test_every_queue_is_read_by_a_group_and_all_by_the_default_one() -> None:
    read = {queue for name, group in GROUPS.items() if name != ALL for queue in group.queues}
    assert read == set(Queue)
    assert set(GROUPS[ALL].queues) == set(Queue)


def test_every_task_is_registered_under_its_name() -> None:
    app.loader.import_default_modules()
    registered = {name for name in app.tasks if not name.startswith("celery.")}
    assert registered == {task.value for task in Task}


def test_every_periodic_task_has_a_bell() -> None:
    settings = Settings()
    assert {bell.task for bell in build_schedule(settings)} == set(list_periods(settings))


def test_every_queue_has_a_heartbeat() -> None:
    beats = {b.queue for b in build_schedule(Settings()) if b.task is Task.WORKERS_HEARTBEAT}
    assert beats == set(Queue)


def test_a_message_goes_to_its_own_queue_only() -> None:
    queues = configure(Settings()).amqp.queues
    assert {name: queue.routing_key for name, queue in queues.items()} == {q: q for q in Queue}
