"""What this process itself has seen of backends: useful when the shared health is away.

The cluster's breakers are in admission. Here a backend that failed several times in a row is
only tried after the others, for a short time.
"""

from gateway import clock

FAILURES = 5
DOWN_SECONDS = 5.0


class LocalHealth:
    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, float]] = {}  # in a row, and when the last was

    def failed(self, backend_id: str) -> None:
        count, _ = self._failures.get(backend_id, (0, 0.0))
        self._failures[backend_id] = (count + 1, clock.monotonic())

    def succeeded(self, backend_id: str) -> None:
        self._failures.pop(backend_id, None)

    def is_down(self, backend_id: str) -> bool:
        if not self._failures or backend_id not in self._failures:
            return False
        count, last = self._failures[backend_id]
        return count >= FAILURES and clock.monotonic() - last < DOWN_SECONDS
