"""Gates hold answers at exact places until a test opens them."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Gate:
    """Closed until opened; once opened for good it lets everybody through."""

    name: str
    is_open: bool = False
    arrived: int = 0
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    watchers: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        return len(self.waiters)

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "open": self.is_open,
            "waiting": self.waiting,
            "arrived": self.arrived,
        }

    async def wait(self) -> None:
        self.arrived += 1
        self._tell()
        if self.is_open:
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(place)
        self._tell()
        try:
            await place
        finally:
            if place in self.waiters:
                self.waiters.remove(place)
                self._tell()

    def open(self, count: int | None) -> int:
        """Release everybody and stay open, or release the first ``count`` and stay closed."""
        self.is_open = self.is_open or count is None
        released = 0
        while self.waiters and (count is None or released < count):
            place = self.waiters.popleft()
            if not place.done():
                place.set_result(None)
                released += 1
        self._tell()
        return released

    async def wait_until(self, reached: Callable[["Gate"], bool], timeout_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not reached(self):
            news: asyncio.Future[None] = loop.create_future()
            self.watchers.add(news)
            await asyncio.wait([news], timeout=max(0.0, deadline - loop.time()))
            self.watchers.discard(news)
            if loop.time() >= deadline:
                return reached(self)
        return True

    def _tell(self) -> None:
        for news in self.watchers:
            if not news.done():
                news.set_result(None)


@dataclass(slots=True)
class Gates:
    by_name: dict[str, Gate] = field(default_factory=dict)

    def get(self, name: str) -> Gate:
        found = self.by_name.get(name)
        if found is None:
            found = self.by_name[name] = Gate(name)
        return found

    def reset(self) -> None:
        for gate in self.by_name.values():
            gate.open(None)
        self.by_name.clear()
