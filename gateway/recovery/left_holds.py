"""Holds that a restarted Redis still has of processes that are gone.

Before a rebuild wipes them they are read, and whatever nobody brings back becomes an
abandoned entry: a call that was admitted ends in a record. If its real settlement turns
up in a journal, the ledger corrects the entry.
"""

from collections.abc import Set as AbstractSet

import msgspec

from gateway.admission import Gate, events
from gateway.admission.events import HoldInfo
from gateway.cache import keys

# Where `put_hold` in base.lua keeps what a record needs, and the mark of one that is charged.
INFO, CHARGED = 5, 6


async def read(gate: Gate) -> list[HoldInfo]:
    """The open holds in Redis; those that wait for a replay of their charge are left out."""
    found = []
    async for key in gate.redis.scan_iter(match=keys.user_holds("*"), count=1000):
        for packed in await gate.redis.hvals(key):
            assert isinstance(packed, bytes)  # noqa: S101 - the client decodes nothing
            hold = msgspec.msgpack.decode(packed)
            if len(hold) <= CHARGED:
                found.append(events.decode_hold(hold[INFO]))
    return found


async def abandon(gate: Gate, holds: list[HoldInfo], back: AbstractSet[str]) -> None:
    """Write down those of processes that did not come back with them."""
    for hold in holds:
        if hold.process_id not in back:
            await gate.redis.xadd(
                keys.STREAM,
                {
                    events.KIND: events.ABANDON,
                    events.LATE: b"1",
                    events.USER: hold.user_id,
                    events.APP: hold.app_id or "",
                    events.API_KEY: hold.api_key_id or "",
                    events.AMOUNT: b"0",
                    events.EVENT: events.encode(hold),
                },
            )
