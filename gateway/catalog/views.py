"""Read models of the catalog; they leave the transaction and are shared by all calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.catalog.patterns import Pattern, match, patterns_of
from gateway.protocols.traits import NO_TRAITS, Traits


@dataclass(frozen=True, slots=True)
class Target:
    """One way to serve a model: a backend under one of our keys."""

    link_id: str
    backend_id: str
    backend_slug: str
    adapter: str
    auth_style: str
    base_url: str
    path_templates: Mapping[str, str]
    api_version: str | None
    headers: Mapping[str, str]
    # Empty where the offer is a pattern: the name that was asked for is sent.
    upstream_model: str
    region: str
    weight: int
    slots: int
    limits: Mapping[str, float]
    provider_key_id: str | None = None
    key_weight: int = 1
    secret: str = field(default="", repr=False)
    cost_factor_millionths: int = 1_000_000
    priority: int = 0  # of the link; the highest is tried first
    traits: Traits = NO_TRAITS


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as it is sold: its prices and every way to serve it."""

    model_id: str
    slug: str
    type: str
    created: int  # Unix seconds
    load_balancing: str
    context_window: int | None
    max_output_tokens: int | None
    # Sent upstream unless the client sets them, and headers sent along.
    parameters: Mapping[str, Any]
    headers: Mapping[str, str]
    # The vendor's name for the bound on output: max_tokens or max_completion_tokens.
    output_field: str
    limits: Mapping[str, float]
    disconnect_policy: str | None
    price_version_id: str | None
    prices: Mapping[tuple[str, str], int]
    targets: tuple[Target, ...]
    is_sellable: bool  # it has the prices that its type needs
    name: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    # Which model answers instead of this one, and what is left when all targets have failed.
    forward: Mapping[str, Any] = field(default_factory=dict)
    fallback: Mapping[str, Any] = field(default_factory=dict)
    # The backend that `fallback` names, under each of its keys.
    fallback_targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    revision: int
    offers: Mapping[str, Offer]
    aliases: Mapping[str, str]
    _patterns: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {**self.aliases, **{slug: slug for slug in self.offers}}
        object.__setattr__(self, "_patterns", patterns_of(names))

    def find(self, name: str) -> Offer | None:
        """The offer of that name, else of that alias, else of the closest pattern."""
        found = self.offers.get(name) or self.offers.get(self.aliases.get(name, ""))
        if found is None and self._patterns:
            found = self.offers.get(match(self._patterns, name) or "")
        return found
