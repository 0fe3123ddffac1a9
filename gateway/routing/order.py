"""The order in which the targets of a model are tried.

Weighted picks are smooth (nginx's algorithm): three backends of weight 20, 20 and 15 get
exactly those shares, interleaved. The state is each process's own; what the cluster must
agree on (slots, cool-downs, breakers, who is least busy) is decided by admission.
"""

from collections.abc import Sequence
from itertools import groupby

from gateway.catalog import Offer, Target

LEAST_BUSY = "least_busy"
ROUND_ROBIN = "round_robin"


class SmoothWheel:
    """Smooth weighted turns over named places."""

    def __init__(self) -> None:
        self._current: dict[str, int] = {}

    def turn(self, weights: dict[str, int]) -> list[str]:
        """The places by urgency, the one whose turn it is first."""
        for place, weight in weights.items():
            self._current[place] = self._current.get(place, 0) + weight
        order = sorted(weights, key=self._urgency, reverse=True)
        self._current[order[0]] -= sum(weights.values())
        if len(self._current) > len(weights):
            self._current = {place: self._current[place] for place in weights}
        return order

    def _urgency(self, place: str) -> int:
        return self._current[place]


class Router:
    def __init__(self, region: str) -> None:
        self._region = region
        self._backends: dict[str, SmoothWheel] = {}
        self._keys: dict[str, SmoothWheel] = {}

    def order(self, offer: Offer, region: str | None, *, is_strict: bool = False) -> list[Target]:
        """Every target in the order to try; of the wanted region first, drained ones last."""
        targets = offer.targets
        wanted = region or self._region
        if wanted and is_strict:
            targets = tuple(target for target in targets if target.region == wanted)
        if len(targets) <= 1:
            return list(targets)
        ordered = self._by_backend(offer, targets)
        ordered.sort(key=lambda target: (wanted not in ("", target.region), target.weight == 0))
        return ordered

    def _by_backend(self, offer: Offer, targets: Sequence[Target]) -> list[Target]:
        links = {link: list(group) for link, group in groupby(targets, lambda t: t.link_id)}
        even = offer.load_balancing == ROUND_ROBIN
        weights = {link: 1 if even else keys[0].weight for link, keys in links.items()}
        wheel = self._backends.setdefault(offer.model_id, SmoothWheel())
        ranked = [self._by_key(links[link]) for link in wheel.turn(weights)]
        # Another backend before another key of the same one: the first key of each, then the rest.
        return [keys[0] for keys in ranked] + [key for keys in ranked for key in keys[1:]]

    def _by_key(self, targets: list[Target]) -> list[Target]:
        if len(targets) == 1:
            return targets
        by_id = {target.provider_key_id or "": target for target in targets}
        wheel = self._keys.setdefault(targets[0].link_id, SmoothWheel())
        return [by_id[key] for key in wheel.turn({k: t.key_weight for k, t in by_id.items()})]
