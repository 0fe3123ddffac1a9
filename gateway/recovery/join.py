"""Joining an epoch of Redis, and building a new one when Redis has lost what it was told.

An epoch is one uninterrupted filling of Redis: "<id>@<run id of the server>". A restarted
server has another run id, even if its append-only file brought most keys back, because
the last moments before its death may be missing. Before anybody is admitted in a new epoch

1. the leader wipes holds and allowances, and announces the epoch;
2. every living process puts its open holds back and its journal into the stream;
3. the leader waits for them, and until the drain has written everything;
4. the mark of recovery is taken away, and allowances are loaded from the ledger on demand.

Settlements that reach the stream twice are told apart by the ledger.
"""

import asyncio
import datetime as dt
from contextlib import suppress

from sqlalchemy import select

from gateway import clock, ids, log
from gateway.admission import Gate, OpenHolds, run_of
from gateway.admission.gate import AWAY
from gateway.cache import connect, keys
from gateway.db import Database, ReadSession
from gateway.errors import UnavailableError
from gateway.recovery import left_holds
from gateway.settings import Settings
from gateway.usage import Settler, StreamFullError, drain_once
from models import Process

LEASE_MS = 3_000
LOOK_SECONDS = 0.05
# Processes that have not been heard of for this long are not waited for.
ALIVE_SECONDS = 6
PATIENCE_SECONDS = 5
API = "api"
AS_LEADER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call(unpack(ARGV, 2))
return 1
"""

_log = log.get(__name__)


class LeadLostError(UnavailableError):
    """Another process rebuilds Redis now."""


class Joiner:
    def __init__(self, settings: Settings, database: Database, process_id: str) -> None:
        self._settings = settings
        self._database = database
        self._process_id = process_id
        self._replayed_for = b""
        self.holds: OpenHolds | None = None
        self.settler: Settler | None = None

    async def join(self, gate: Gate) -> bytes:
        """The epoch to work in; returns when it is complete. Raises while Redis is away."""
        while True:
            epoch = await _read(gate, keys.EPOCH)
            building = await _read(gate, keys.RECOVERY)
            if building:
                if building == epoch:  # before that the leader still wipes
                    await self._bring_back(gate, epoch)
                await self._try_to_lead(gate)
            elif run_of(epoch) == gate.run_id:
                if gate.epoch not in (b"", epoch):
                    await self._bring_back(gate, epoch)
                return epoch
            else:
                await self._try_to_lead(gate)
            await asyncio.sleep(LOOK_SECONDS)

    async def _try_to_lead(self, gate: Gate) -> None:
        if await self._take_lead(gate):
            await self._lead(gate)

    async def _take_lead(self, gate: Gate) -> bool:
        taken = await gate.redis.set(keys.RECOVERY_LEASE, self._process_id, nx=True, px=LEASE_MS)
        return bool(taken)

    async def _bring_back(self, gate: Gate, epoch: bytes) -> None:
        """Put our holds and our journal into the new epoch, once; making room where it is full."""
        if self._replayed_for == epoch:
            return
        if self.holds is not None and self.settler is not None:
            await self.holds.reopen()
            while True:
                try:
                    await self.settler.replay_all(epoch)
                    break
                except StreamFullError:
                    await self._drain()
        await gate.redis.sadd(keys.REPLAYED + epoch.decode(), self._process_id)
        await gate.redis.expire(keys.REPLAYED + epoch.decode(), 3600)
        self._replayed_for = epoch

    async def _lead(self, gate: Gate) -> None:
        epoch = new_epoch(gate.run_id)
        beat = asyncio.get_running_loop().create_task(self._keep_lead(gate))
        try:
            # Without the database nothing can be rebuilt: leave what there is alone.
            await self._database.read(_list_alive)
            _log.warning("rebuilding_redis", epoch=epoch.decode())
            held = await left_holds.read(gate)
            await self._as_leader(gate, "SET", keys.RECOVERY, epoch)
            await self._wipe(gate)
            await self._as_leader(gate, "SET", keys.EPOCH, epoch)
            await self._drain()  # makes room for what is brought back
            await self._bring_back(gate, epoch)
            await self._wait_for_others(gate, epoch)
            await left_holds.abandon(gate, held, await self._list_back(gate, epoch))
            await self._drain()
            await self._as_leader(gate, "DEL", keys.RECOVERY)
            _log.info("redis_is_rebuilt", epoch=epoch.decode())
        finally:
            beat.cancel()
            with suppress(*AWAY):
                await self._as_leader(gate, "DEL", keys.RECOVERY_LEASE)

    async def _as_leader(self, gate: Gate, *command: str | bytes) -> None:
        """Run a command unless another leads by now, which can happen to one that was paused."""
        script = gate.redis.register_script(AS_LEADER)
        if not await script(keys=[keys.RECOVERY_LEASE], args=[self._process_id, *command]):
            raise LeadLostError

    async def _keep_lead(self, gate: Gate) -> None:
        with suppress(*AWAY):
            while True:
                await asyncio.sleep(LEASE_MS / 3000)
                await self._as_leader(gate, "PEXPIRE", keys.RECOVERY_LEASE, str(LEASE_MS))

    async def _wipe(self, gate: Gate) -> None:
        """Take away what is rebuilt; settlements that survived stay for the drain."""
        await self._as_leader(gate, "DEL", keys.EPOCH)
        for pattern in keys.STATE_PATTERNS:
            found = [key async for key in gate.redis.scan_iter(match=pattern, count=1000)]
            for start in range(0, len(found), 500):
                await self._as_leader(gate, "UNLINK", *found[start : start + 500])

    async def _wait_for_others(self, gate: Gate, epoch: bytes) -> None:
        ends = clock.monotonic() + PATIENCE_SECONDS
        while missing := await self._missing(gate, epoch):
            if clock.monotonic() > ends:
                _log.warning("rebuilt_without_everybody", missing=sorted(missing))
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _missing(self, gate: Gate, epoch: bytes) -> set[str]:
        return await self._database.read(_list_alive) - await self._list_back(gate, epoch)

    async def _list_back(self, gate: Gate, epoch: bytes) -> set[str]:
        """The processes that have brought back what was theirs."""
        members = await gate.redis.smembers(keys.REPLAYED + epoch.decode())
        return {_text(member) for member in members}

    async def _drain(self) -> None:
        """Wait until everything brought back stands in the ledger; help if nobody else drains."""
        loop = asyncio.get_running_loop()
        remaining = 1
        while remaining:
            remaining = await loop.run_in_executor(None, self._drain_step)
            await asyncio.sleep(LOOK_SECONDS if remaining else 0)

    def _drain_step(self) -> int:
        client = connect(self._settings.resolved_redis_url)
        try:
            owner = f"recovery:{self._process_id}"
            return drain_once(self._database, client, self._settings.drain, owner).remaining
        finally:
            client.close()


def new_epoch(run_id: str) -> bytes:
    """Names one filling of Redis; the drain's table keeps 64 characters of it."""
    return f"{ids.new_uuid().replace('-', '')[-20:]}@{run_id}".encode()


async def _read(gate: Gate, key: str) -> bytes:
    return _text(await gate.redis.get(key) or b"").encode()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _list_alive(session: ReadSession) -> set[str]:
    since = clock.now() - dt.timedelta(seconds=ALIVE_SECONDS)
    return set(
        session.scalars(select(Process.id).where(Process.kind == API, Process.heartbeat_at > since))
    )
