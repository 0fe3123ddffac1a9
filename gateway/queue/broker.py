"""The Celery app: one configuration for workers, beat, Flower and publishers.

Messages are wake-up calls with ids in them; the work is rows. So messages are acknowledged
early, results are ignored, and a message that is lost or doubled costs nothing.
"""

from typing import Any

from celery import Celery
from kombu import Exchange
from kombu import Queue as BrokerQueue

from gateway.cache import keys
from gateway.queue.names import Queue
from gateway.settings import Settings

CONNECT_SECONDS = 2


def configure(settings: Settings, *, socket_timeout_seconds: float = 5) -> Celery:
    """Build the app; nothing is connected yet."""
    app = Celery("sluice", broker=broker_url(settings), set_as_current=True)
    app.conf.update(
        _messages() | _workers() | {"broker_transport_options": _transport(socket_timeout_seconds)}
    )
    return app


def broker_url(settings: Settings) -> str:
    """The configured broker, else the Redis that holds everything else, as kombu spells it."""
    if settings.broker_url:
        return settings.broker_url
    url = settings.resolved_redis_url
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    database = dict(part.partition("=")[::2] for part in query.split("&")).get("db", "0")
    return f"redis+socket://{path}?virtual_host={database}"


def _messages() -> dict[str, Any]:
    return {
        "task_queues": [
            BrokerQueue(queue.value, Exchange(queue.value), routing_key=queue.value)
            for queue in Queue
        ],
        "task_default_queue": Queue.MAINTENANCE.value,
        "task_default_exchange": Queue.MAINTENANCE.value,
        "task_default_routing_key": Queue.MAINTENANCE.value,
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_send_sent_event": True,
        "timezone": "UTC",
        "broker_connection_retry_on_startup": True,
        # A worker outlives any outage of the broker.
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_pool_limit": 10,
        "broker_pool_acquire_timeout": CONNECT_SECONDS,
    }


def _workers() -> dict[str, Any]:
    return {
        "worker_send_task_events": True,
        "worker_prefetch_multiplier": 1,
        # What was prefetched dies with its worker.
        "worker_disable_prefetch": True,
        "worker_eta_task_limit": 1000,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _transport(socket_timeout_seconds: float) -> dict[str, Any]:
    return {
        "global_keyprefix": keys.BROKER_PREFIX,
        "visibility_timeout": 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_timeout_seconds,
        "socket_connect_timeout": CONNECT_SECONDS,
        "health_check_interval": 15,
    }
