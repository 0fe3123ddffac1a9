"""The holds this process has open: their leases are renewed while the calls live."""

import asyncio

from gateway.admission.events import HoldInfo, encode
from gateway.admission.gate import Gate, GateClosedError
from gateway.admission.operations import Renew, Reopen

RENEW_AT_ONCE = 500


class OpenHolds:
    def __init__(self, gate: Gate, lease_seconds: float) -> None:
        self._gate = gate
        self._open: dict[str, HoldInfo] = {}
        self.lease_ms = int(lease_seconds * 1000)

    def add(self, hold: HoldInfo) -> None:
        self._open[hold.reference] = hold

    def remove(self, reference: str) -> None:
        self._open.pop(reference, None)

    def __len__(self) -> int:
        return len(self._open)

    async def renew(self) -> None:
        """Extend every lease; a hold that was swept meanwhile stays swept."""
        members = [f"{hold.user_id} {hold.reference}" for hold in self._open.values()]
        for start in range(0, len(members), RENEW_AT_ONCE):
            await self._gate.ask(Renew(members[start : start + RENEW_AT_ONCE], self.lease_ms))

    async def reopen(self) -> None:
        """Put every open hold back into a Redis that has lost them."""
        operations = [
            Reopen(
                user=hold.user_id,
                reference=hold.reference,
                app=hold.app_id or "",
                key=hold.api_key_id or "",
                amount=str(hold.held_nanos),
                info=encode(hold).decode(),
                lease_ms=self.lease_ms,
            )
            for hold in self._open.values()
        ]
        for start in range(0, len(operations), RENEW_AT_ONCE):
            await self._gate.run_many(operations[start : start + RENEW_AT_ONCE])

    async def keep_renewed(self) -> None:
        while True:
            await asyncio.sleep(self.lease_ms / 3000)
            try:
                await self.renew()
            except GateClosedError:
                continue  # leases are long enough for a short outage; a long one ends in recovery
