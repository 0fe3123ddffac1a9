"""What a key may use, and where it is served."""

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.catalog import Offer, Target
from gateway.catalog.patterns import is_pattern
from gateway.errors import ModelNotFoundError
from gateway.relay.deps import Deps
from gateway.relay.refusals import OPERATION_TYPES
from gateway.relay.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Place:
    """One backend of a model, without its secrets."""

    backend: str
    base_url: str
    path: str  # below the base URL; empty for what has no one operation
    region: str


def list_offers(visitor: Visitor) -> list[Offer]:
    """The models that can be called now, by name; of patterns nobody knows all names."""
    offers = (o for o in visitor.catalog.offers.values() if not is_pattern(o.slug))
    usable = (offer for offer in offers if _is_usable(visitor, offer))
    return sorted(usable, key=lambda offer: offer.slug)


def get_offer(visitor: Visitor, name: str) -> Offer:
    """A model by its name or an alias, or by a name that fits a pattern.

    What may not be used is as unknown as what does not exist.
    """
    offer = visitor.catalog.find(name)
    if offer is None or not _is_usable(visitor, offer):
        raise ModelNotFoundError(f"The model '{name[:100]}' does not exist.", param="model")
    return dataclasses.replace(offer, slug=name) if is_pattern(offer.slug) else offer


def _is_usable(visitor: Visitor, offer: Offer) -> bool:
    can_be_served = offer.targets or offer.forward or offer.fallback
    return bool(can_be_served) and offer.is_sellable and visitor.caller.allows(offer.slug)


def list_places(deps: Deps, offer: Offer) -> list[Place]:
    """Where the model is served, each backend once."""
    backends = {target.backend_id: target for target in offer.targets}
    return [
        Place(target.backend_slug, target.base_url, _path(deps, offer, target), target.region)
        for target in backends.values()
    ]


def _path(deps: Deps, offer: Offer, target: Target) -> str:
    operations = {type_: operation for operation, type_ in reversed(OPERATION_TYPES.items())}
    if offer.type not in operations:
        return ""
    request = deps.providers[target.adapter].build(operations[offer.type], target, b"", {})
    return urlsplit(request.url).path.removeprefix(urlsplit(target.base_url).path)
