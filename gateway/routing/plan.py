"""Everything that may answer a call, in the order in which it is tried.

First the targets of the model (or of the one it is forwarded to), then its fallback backend,
then its fallback models with theirs; no model comes twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.catalog import Catalog, Offer, Target
from gateway.protocols.canonical import Call
from gateway.routing.candidate import Candidate
from gateway.routing.forwarding import Step, forwarded
from gateway.routing.order import Router

MOST_FALLBACKS = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of routing."""

    offer: Offer  # of the model that is paid for
    name: str  # under which the client asked
    read: Callable[[], Call | None]  # the canonical request
    region: str | None = None
    is_region_strict: bool = False
    affinity: str | None = None


@dataclass(slots=True)
class Plan:
    candidates: list[Candidate] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def next_tier(self) -> int:
        return self.candidates[-1].tier + 1 if self.candidates else 0


def plan(router: Router, catalog: Catalog, wanted: Wanted) -> Plan:
    """Without any candidate the model cannot be served now."""
    served, steps = forwarded(catalog, wanted.offer, wanted.read)
    made = Plan(steps=steps)
    planner = _Planner(router, wanted, made)
    planner.add(served, wanted.name)
    answering = {served.slug}
    if served.fallback:
        for fallback, is_for_long in _fallbacks(catalog, served, {wanted.offer.slug, served.slug}):
            instead, _ = forwarded(catalog, fallback, wanted.read)
            if instead.slug not in answering:
                answering.add(instead.slug)
                planner.add(instead, fallback.slug, is_fallback=True, is_for_long=is_for_long)
    return made


@dataclass(frozen=True, slots=True)
class _Planner:
    router: Router
    wanted: Wanted
    made: Plan

    def add(
        self, offer: Offer, name: str, *, is_fallback: bool = False, is_for_long: bool = False
    ) -> None:
        """The targets of one model, in tiers behind those that are there."""
        first = self.made.next_tier
        self.made.candidates += [
            Candidate(_named(target, name), offer, name, first + tier, is_fallback, is_for_long)
            for tier, target in self._ordered(offer)
        ]

    def _ordered(self, offer: Offer) -> list[tuple[int, Target]]:
        wanted = self.wanted
        ordered = self.router.order(
            offer,
            wanted.region,
            is_strict=wanted.is_region_strict,
            affinity=wanted.affinity,
        )
        known = {(target.backend_id, target.provider_key_id) for _, target in ordered}
        last = ordered[-1][0] + 1 if ordered else 0
        for target in offer.fallback_targets:
            if (target.backend_id, target.provider_key_id) not in known:
                ordered.append((last, target))
        return ordered


def _named(target: Target, name: str) -> Target:
    """A model whose name is a pattern is sent under the name that was asked for."""
    return target if target.upstream_model else replace(target, upstream_model=name)


def _fallbacks(catalog: Catalog, offer: Offer, seen: set[str]) -> Iterator[tuple[Offer, bool]]:
    """The models that may answer instead, each once; fallbacks of fallbacks come after them."""
    waiting = [offer]
    found = 0
    while waiting and found < MOST_FALLBACKS:
        current = waiting.pop(0)
        for name, is_for_long in _names(current.fallback):
            fallback = catalog.find(name)
            if fallback is None or fallback.slug in seen or found >= MOST_FALLBACKS:
                continue
            seen.add(fallback.slug)
            found += 1
            waiting.append(fallback)
            yield fallback, is_for_long


def _names(fallback: Mapping[str, Any]) -> list[tuple[str, bool]]:
    models = [fallback["model"]] if fallback.get("model") else []
    named = [(model, False) for model in [*models, *(fallback.get("models") or ())]]
    larger = fallback.get("larger_context")
    return [*named, (larger, True)] if larger else named
