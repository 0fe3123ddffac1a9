"""What a relay works with; one per API process."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.admission import Admission, Gate, OpenHolds
from gateway.cache import ToolStates
from gateway.catalog import Catalogs
from gateway.db import Database
from gateway.identity import Callers
from gateway.providers import Provider
from gateway.routing import Router
from gateway.settings import Settings
from gateway.transport import Fetcher, Transport
from gateway.usage import Journal, Settler


@dataclass(slots=True)
class Deps:
    settings: Settings
    process_id: str
    database: Database
    callers: Callers
    catalogs: Catalogs
    gate: Gate
    admission: Admission
    holds: OpenHolds
    journal: Journal
    settler: Settler
    router: Router
    transport: Transport
    fetcher: Fetcher
    tool_states: ToolStates
    providers: Mapping[str, Provider]
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run something that outlives its request; waited for at shutdown."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
