"""Signals as something to wait for, so that the supervisor needs neither threads nor polling."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Counts requests to stop; wakes a waiting supervisor when a child has died."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self._previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.settimeout(0)
        self._previous_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        self._reader.close()
        self._writer.close()

    def _note(self, number: int, _: FrameType | None) -> None:
        if number in STOPPING:
            self.stop_requests += 1

    def wait(self, timeout_seconds: float) -> None:
        """Sleep until a signal arrives, at most so long."""
        ready, _, _ = select.select([self._reader], [], [], max(0.0, timeout_seconds))
        if ready:
            self._reader.recv(4096)
