"""What one server process holds open, from its start to its end."""

import asyncio
import gc
from contextlib import suppress

from api.context import App
from gateway import crypto, db, ids, log
from gateway.admission import Admission, Gate, OpenHolds, announce
from gateway.cache import ToolStates, connect, connect_async
from gateway.catalog import Catalogs
from gateway.db import Database
from gateway.identity import Callers
from gateway.providers import PROVIDERS
from gateway.recovery import Joiner, Keeper
from gateway.relay import Deps
from gateway.routing import Router
from gateway.settings import Settings
from gateway.transport import Fetcher, Transport
from gateway.usage import Journal, Settler

STOP_SECONDS = 10
# For joining an epoch; operations of calls have a shorter limit of their own.
REDIS_SECONDS = 2
GARBAGE_OBJECTS = 20_000

_log = log.get(__name__)


def register(app: App) -> None:
    app.before_server_start(_start)
    app.before_server_stop(_refuse)
    app.after_server_stop(_stop)


async def _start(app: App) -> None:
    settings = app.ctx.settings
    app.ctx.process = Process(settings)
    app.ctx.deps = await app.ctx.process.start()
    _calm_collector()


def _calm_collector() -> None:
    """What lives for ever is not looked at again, and the rest less often.

    Calls leave hardly any cycles behind; by default the search for them takes a tenth of
    the time of each (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)


async def _refuse(app: App) -> None:
    """Readiness turns false while open streams still run to their end."""
    app.ctx.is_stopping = True


async def _stop(app: App) -> None:
    await app.ctx.process.stop()


class Process:
    """The parts of a relay, opened together and closed in reverse."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._id = ids.new_uuid()
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> Deps:
        settings, process_id = self._settings, self._id
        database = Database.connect(
            settings.resolved_database_url, settings.database, f"sluice-api-{process_id[-6:]}"
        )
        sealer = crypto.Sealer(
            settings.secret_key.get_secret_value() or crypto.load_or_create_key(settings.state_dir)
        )
        joiner = Joiner(settings, database, process_id)
        url = settings.resolved_redis_url
        gate = Gate(
            connect_async(url, REDIS_SECONDS),
            settings.admission.timeout_seconds,
            joiner.join,
        )
        holds = OpenHolds(gate, settings.admission.hold_lease_seconds)
        journal = Journal(settings.journal_dir, process_id, settings.journal)
        settler = Settler(gate, journal, holds, settings.admission.max_backlog)
        joiner.holds, joiner.settler = holds, settler
        self.deps = Deps(
            settings=settings,
            process_id=process_id,
            database=database,
            callers=Callers(database, settings.snapshots),
            catalogs=Catalogs(database, sealer, settings.snapshots),
            gate=gate,
            admission=Admission(gate, database),
            holds=holds,
            journal=journal,
            settler=settler,
            router=Router(settings.region),
            transport=Transport(settings.upstream.max_connections),
            fetcher=Fetcher(settings.fetch),
            tool_states=ToolStates(gate.redis),
            providers=PROVIDERS,
        )
        await self._open(self.deps)
        return self.deps

    async def _open(self, deps: Deps) -> None:
        settings = self._settings
        self._keeper = Keeper(
            deps.database,
            deps.gate,
            (deps.callers, deps.catalogs),
            (deps.journal, deps.settler),
            self._id,
        )
        announcing = connect(settings.resolved_redis_url, timeout_seconds=1)
        db.announce(lambda revisions: announce(announcing, revisions))
        await deps.transport.open()
        await deps.fetcher.open()
        await self._keeper.start()
        await deps.gate.open()
        loop = asyncio.get_running_loop()
        self._background = [
            loop.create_task(deps.holds.keep_renewed()),
            loop.create_task(self._keeper.run(settings.admission.revision_poll_seconds)),
            loop.create_task(self._keeper.sync_journal(settings.journal.sync_seconds)),
        ]

    async def stop(self) -> None:
        deps = self.deps
        if deps.tasks:
            await asyncio.wait(deps.tasks, timeout=STOP_SECONDS)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        with suppress(Exception):
            await self._keeper.stop()
        await deps.gate.close()
        await deps.transport.close()
        await deps.fetcher.close()
        deps.journal.close()
        deps.database.close()
