"""A process that takes over the journal of a dead one and tells Redis all of it."""

import asyncio
import sys
from pathlib import Path

from gateway.admission import Gate, OpenHolds
from gateway.cache import connect_async, keys
from gateway.settings import JournalSettings
from gateway.usage import Journal, Settler

TIMEOUT_SECONDS = 5
LEASE_SECONDS = 2
BACKLOG = 100_000


async def _join(gate: Gate) -> bytes:
    epoch = await gate.redis.get(keys.EPOCH)
    assert isinstance(epoch, bytes)
    return epoch


async def _main(url: str, folder: Path) -> None:
    gate = Gate(connect_async(url, TIMEOUT_SECONDS), TIMEOUT_SECONDS, _join)
    await gate.open()
    journal = Journal(folder, "taker", JournalSettings())
    settler = Settler(gate, journal, OpenHolds(gate, LEASE_SECONDS), BACKLOG)
    await settler.replay_all(gate.epoch)
    await gate.close()
    journal.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
