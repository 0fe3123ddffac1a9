"""What a key may use; asked without making a call."""

from gateway.admission import GateClosedError, StaleSnapshotError
from gateway.catalog import Offer
from gateway.relay.deps import Deps
from gateway.relay.entry import MAX_RELOADS, check_of, refresh, refusal_of


async def list_offers(deps: Deps, api_key: str, client_ip: str) -> list[Offer]:
    """The models that can be called now with this key, by name; free, and never stale."""
    for _ in range(MAX_RELOADS):
        caller = await deps.callers.get(api_key)
        catalog = await deps.catalogs.get()
        try:
            await deps.admission.check(check_of(caller, catalog))
        except StaleSnapshotError as stale:
            refresh(deps, caller, stale.kind)
            continue
        refusal = refusal_of(caller, client_ip)
        if refusal is not None:
            raise refusal
        offers = (o for o in catalog.offers.values() if o.targets and caller.allows(o.slug))
        return sorted(offers, key=lambda offer: offer.slug)
    raise GateClosedError
