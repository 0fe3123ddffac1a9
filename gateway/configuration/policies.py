"""Importing policies: named bundles of limits that users point at."""

import zoneinfo
from typing import Any

from gateway.configuration import document, rows
from gateway.configuration.changes import Changes
from gateway.configuration.problems import ConfigurationError
from gateway.db import Session
from gateway.identity import admits
from gateway.identity.model_lists import ALL_MODELS
from models import Policy


def import_policy(session: Session, changes: Changes, part: document.Policy, path: str) -> None:
    values = rows.given(
        part,
        *("description", "models", "default_model", "rate_limit", "rate_limit_window_seconds"),
        *("request_quota_daily", "token_quota_daily", "token_quota_monthly", "tokens_per_minute"),
        *("max_concurrency", "max_output_tokens", "timezone", "per_model", "region"),
        *("region_strict", "priority", "disconnect_policy"),
    )
    values |= rows.given_nanos(part, ("cost_quota_daily", "cost_quota_monthly"))
    if isinstance(part.available_time_ranges, list):
        ranges = [{"start": item.start, "end": item.end} for item in part.available_time_ranges]
        values["available_time_ranges"] = ranges
    row = rows.find(session, Policy, name=part.name)
    values["name"] = part.name
    row, outcome = rows.save(session, Policy, row, values, {"models": [ALL_MODELS]})
    _check(row, path)
    if changes.record("policy", part.name, outcome):
        changes.policies.add(row.id)


def _check(policy: Policy, path: str) -> None:
    """What concerns two fields at once, or the world outside the file."""
    problem: str | None = None
    if policy.timezone not in zoneinfo.available_timezones():
        problem = f"timezone: there is no {policy.timezone!r}"
    elif policy.default_model and not _allows(policy, policy.default_model):
        problem = f"default_model: {policy.default_model!r} is not among the policy's models"
    elif any(_is_empty(item) for item in policy.available_time_ranges):
        problem = "available_time_ranges: a range starts and ends at the same time"
    if problem is not None:
        msg = f"{path}.{problem}"
        raise ConfigurationError(msg)


def _allows(policy: Policy, model: str) -> bool:
    return admits(frozenset(policy.models), model)


def _is_empty(time_range: dict[str, Any]) -> bool:
    return bool(time_range["start"] == time_range["end"])
