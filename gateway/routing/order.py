"""The order in which the targets of a model are tried.

Weighted picks are smooth (nginx's algorithm): three backends of weight 20, 20 and 15 get
exactly those shares, interleaved. A conversation that its upstream caches stays with one
backend instead: by rendezvous hashing, which needs no memory and moves nothing but what was
on the backend that went away. What the cluster must agree on (slots, cool-downs, breakers,
who is least busy) is decided by admission.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from itertools import groupby

from gateway.catalog import Offer, Target
from gateway.routing.health import LocalHealth

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


def rendezvous(affinity: str, weights: dict[str, int]) -> list[str]:
    """The places by their claim to a conversation; each gets its share of conversations."""

    def claim(place: str) -> float:
        digest = hashlib.blake2b(f"{affinity}\0{place}".encode(), digest_size=8).digest()
        chance = (int.from_bytes(digest) + 1) / (2**64 + 2)
        return weights[place] / -math.log(chance)

    return sorted(weights, key=claim, reverse=True)


Turn = Callable[[str, dict[str, int]], list[str]]


class Router:
    def __init__(self, region: str) -> None:
        self._region = region
        self._wheels: dict[tuple[str, str], SmoothWheel] = {}
        self.health = LocalHealth()

    def order(
        self,
        offer: Offer,
        region: str | None,
        *,
        is_strict: bool = False,
        affinity: str | None = None,
    ) -> list[tuple[int, Target]]:
        """Every target with its tier, in the order to try.

        The first tier is the best: of the wanted region, not drained, of the highest priority.
        """
        targets = offer.targets
        wanted = region or self._region
        if wanted and is_strict:
            targets = tuple(target for target in targets if target.region == wanted)
        if not targets:
            return []
        if len(targets) == 1:
            return [(0, targets[0])]
        turn = self._turns(wanted if is_strict else "") if affinity is None else _claims(affinity)
        ranks = {id(target): self._rank(target, wanted) for target in targets}
        ordered = sorted(self._by_backend(offer, targets, turn), key=lambda t: ranks[id(t)])
        tiers = {rank: tier for tier, rank in enumerate(sorted(set(ranks.values())))}
        return [(tiers[ranks[id(target)]], target) for target in ordered]

    def _rank(self, target: Target, wanted: str) -> tuple[bool, bool, int, bool]:
        return (
            wanted not in ("", target.region),
            target.weight == 0,
            -target.priority,
            self.health.is_down(target.backend_id),
        )

    def _turns(self, region: str) -> Turn:
        """Those of one region take turns of their own."""

        def turn(wheel: str, weights: dict[str, int]) -> list[str]:
            return self._wheels.setdefault((wheel, region), SmoothWheel()).turn(weights)

        return turn

    def _by_backend(self, offer: Offer, targets: Sequence[Target], turn: Turn) -> list[Target]:
        links = {link: list(group) for link, group in groupby(targets, lambda t: t.link_id)}
        even = offer.load_balancing == ROUND_ROBIN
        weights = {link: 1 if even else keys[0].weight for link, keys in links.items()}
        ranked = [_by_key(links[link], turn) for link in turn(offer.model_id, weights)]
        # Another backend before another key of the same one: the first key of each, then the rest.
        return [keys[0] for keys in ranked] + [key for keys in ranked for key in keys[1:]]


def _by_key(targets: list[Target], turn: Turn) -> list[Target]:
    if len(targets) == 1:
        return targets
    by_id = {target.provider_key_id or "": target for target in targets}
    weights = {key: target.key_weight for key, target in by_id.items()}
    return [by_id[key] for key in turn(targets[0].link_id, weights)]


def _claims(affinity: str) -> Turn:
    return lambda _, weights: rendezvous(affinity, weights)
