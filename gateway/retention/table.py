"""How long the rows of every table are kept. A table that is not listed fails a test."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows are kept for ``RetentionSettings.<setting>`` days after ``column``."""

    setting: str
    column: str


FOREVER = None

# Split by month on PostgreSQL.
PARTITIONED = ("requests", "attempts")

RETENTION: dict[str, Kept | None] = {
    "requests": Kept("requests_days", "created_at"),
    "attempts": Kept("attempts_days", "created_at"),
    "rollups": Kept("rollups_days", "hour"),
    "changes": Kept("changes_days", "created_at"),
    # Null until it is applied: such an effect is kept.
    "allowance_effects": Kept("changes_days", "applied_at"),
    "processes": Kept("changes_days", "heartbeat_at"),
    "ai_models": FOREVER,
    "api_keys": FOREVER,
    "apps": FOREVER,
    "backend_models": FOREVER,
    "backends": FOREVER,
    "capability_tags": FOREVER,
    "cost_multipliers": FOREVER,
    "drain_state": FOREVER,
    "ledger_entries": FOREVER,
    "model_capability_tags": FOREVER,
    "policies": FOREVER,
    "price_rows": FOREVER,
    "price_versions": FOREVER,
    "provider_key_backends": FOREVER,
    "provider_key_models": FOREVER,
    "provider_keys": FOREVER,
    "providers": FOREVER,
    "revisions": FOREVER,
    "settings": FOREVER,
    "ticks": FOREVER,
    "users": FOREVER,
}
