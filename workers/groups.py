"""Worker groups: which process consumes which queues, with which kind of pool."""

from dataclasses import dataclass

from gateway.queue import Queue


@dataclass(frozen=True, slots=True)
class Group:
    """Threads wait for networks; processes compute."""

    queues: tuple[Queue, ...]
    pool: str = "threads"


ALL = "all"

GROUPS: dict[str, Group] = {
    ALL: Group(tuple(Queue)),
    **{queue.value: Group((queue,)) for queue in Queue if queue is not Queue.CPU},
    Queue.CPU.value: Group((Queue.CPU,), pool="prefork"),
}
