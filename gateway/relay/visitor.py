"""A key that asks about itself instead of calling a model: checked like a call, and free."""

from dataclasses import dataclass

from gateway.admission import GateClosedError, StaleSnapshotError
from gateway.catalog import Catalog
from gateway.errors import InsufficientQuotaError
from gateway.identity import Caller
from gateway.relay.deps import Deps
from gateway.relay.entry import MAX_RELOADS, refresh
from gateway.relay.refusals import check_of, refusal_of


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and what is on offer at this moment."""

    caller: Caller
    catalog: Catalog


async def get_visitor(deps: Deps, api_key: str, client_ip: str) -> Visitor:
    """Raises the error that refuses the key; never from an overtaken snapshot.

    Whose allowance has expired may still ask what is left of it.
    """
    for _ in range(MAX_RELOADS):
        caller = await deps.callers.get(api_key)
        catalog = await deps.catalogs.get()
        try:
            await deps.admission.check(check_of(caller, catalog))
        except StaleSnapshotError as stale:
            refresh(deps, caller, stale.kind)
            continue
        refusal = refusal_of(caller, client_ip)
        if refusal is not None and not isinstance(refusal, InsufficientQuotaError):
            raise refusal
        return Visitor(caller, catalog)
    raise GateClosedError
