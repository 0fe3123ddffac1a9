"""One request under way: where it waits for a test, and how its connection is broken."""

import asyncio
import socket
import struct
from dataclasses import dataclass

from aiohttp import web

from tests.upstream.faults import Fault
from tests.upstream.gates import Gates
from tests.upstream.journal import Entry

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Exchange:
    request: web.BaseRequest
    entry: Entry
    fault: Fault
    gates: Gates
    # Set when we end the connection ourselves, which must not look like the client's doing.
    is_cut: bool = False

    async def wait_at(self, place: str) -> None:
        for name, where in self.fault.gates:
            if where == place:
                await self.gates.get(name).wait()

    async def before_first_byte(self) -> bool:
        """Wait as told; false if there will be no answer at all."""
        await self.wait_at("head")
        await pause(self.fault.first_byte_ms)
        if "hang" in self.fault.flags:
            await silence()
        if "refuse" in self.fault.flags:
            await self.reset()
            return False
        return True

    async def break_off(self, count: int | None) -> bool:
        """Break the connection if that is due after so many events; ``None`` means any."""
        fault = self.fault
        if _is_due(fault.quiet_after, count):
            await silence()
        if _is_due(fault.close_after, count):
            self.is_cut = True
            if self.request.transport is not None:
                self.request.transport.close()
        if _is_due(fault.reset_after, count):
            await self.reset()
        return self.is_cut

    async def reset(self) -> None:
        """End with RST, but not before the kernel has everything that was written."""
        self.is_cut = True
        transport = self.request.transport
        if transport is None:
            return
        while transport.get_write_buffer_size():  # noqa: ASYNC110 - transports have no event
            await asyncio.sleep(0.001)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()


def _is_due(after: int | None, count: int | None) -> bool:
    return after is not None and (count is None or after == count)


async def pause(milliseconds: int | None) -> None:
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)


async def silence() -> None:
    """Until the client gives up, which cancels us."""
    await asyncio.get_running_loop().create_future()
