"""Read models of the catalog; they leave the transaction and are shared by all calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    upstream_model: str
    region: str
    weight: int
    slots: int
    limits: Mapping[str, float]
    provider_key_id: str | None = None
    key_weight: int = 1
    secret: str = field(default="", repr=False)
    cost_factor_millionths: int = 1_000_000


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


@dataclass(frozen=True, slots=True)
class Catalog:
    revision: int
    offers: Mapping[str, Offer]
    aliases: Mapping[str, str]

    def find(self, name: str) -> Offer | None:
        """The offer of that name or alias."""
        return self.offers.get(name) or self.offers.get(self.aliases.get(name, ""))
