"""The names of tasks and queues, how messages reach the broker, and who runs periodic work."""

from gateway.queue.broker import broker_url, configure
from gateway.queue.names import Queue, Task
from gateway.queue.periods import Period, list_periods
from gateway.queue.processes import ProcessIdentity, identify, record_heartbeat
from gateway.queue.publisher import Publisher
from gateway.queue.ticks import run_tick

__all__ = [
    "Period",
    "ProcessIdentity",
    "Publisher",
    "Queue",
    "Task",
    "broker_url",
    "configure",
    "identify",
    "list_periods",
    "record_heartbeat",
    "run_tick",
]
