"""Read models of a caller; they leave the transaction and are shared by many calls."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.identity.access import address_allowed, time_allowed
from gateway.identity.model_lists import admits


@dataclass(frozen=True, slots=True)
class PolicyView:
    """The limits of a policy; None is unlimited, and so is 0 in ``per_model``."""

    id: str
    name: str
    revision: int
    models: frozenset[str]
    rate_limit: int | None = None
    rate_limit_window_seconds: int | None = None
    request_quota_daily: int | None = None
    token_quota_daily: int | None = None
    token_quota_monthly: int | None = None
    tokens_per_minute: int | None = None
    cost_quota_daily_nanos: int | None = None
    cost_quota_monthly_nanos: int | None = None
    max_concurrency: int | None = None
    max_output_tokens: int | None = None
    timezone: str = "UTC"
    time_ranges: tuple[tuple[str, str], ...] = ()
    default_model: str | None = None
    region: str | None = None
    region_strict: bool = False
    disconnect_policy: str | None = None
    per_model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def allows(self, model: str) -> bool:
        return admits(self.models, model)

    def output_limit(self, model: str) -> int | None:
        """The most tokens an answer of this model may have."""
        own = self.per_model.get(model, {}).get("max_output_tokens")
        return min((limit for limit in (self.max_output_tokens, own) if limit), default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """One API key with everything that decides what it may do."""

    api_key_id: str
    user_id: str
    app_id: str | None
    revision: int  # of the user; covers his apps and keys
    policy: PolicyView
    role: str
    # The reason why this key is refused, or None.
    refusal: str | None
    # Of key and app, where they have one; a model must be on all of them.
    model_lists: tuple[frozenset[str], ...]
    valid_until: dt.datetime | None
    allowance_ends_at: dt.datetime | None
    disconnect_policy: str | None
    # Of key and app, each (allow, deny).
    address_lists: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()

    def allows(self, model: str) -> bool:
        """Whether key, app and policy all admit the model."""
        return all(admits(names, model) for names in self.model_lists) and self.policy.allows(model)

    def may_come_from(self, address: str) -> bool:
        """Whether key and app both admit the client's address."""
        return all(address_allowed(address, *lists) for lists in self.address_lists)

    def may_come_at(self, moment: dt.datetime) -> bool:
        """Whether the policy admits this time of day."""
        return time_allowed(moment, self.policy.time_ranges, self.policy.timezone)
