"""The first tables."""

import sqlalchemy as sa
from alembic import op

import models.base

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ai_models",
        sa.Column("slug", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("aliases", models.base.Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("context_window", sa.BigInteger(), nullable=True),
        sa.Column("max_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("load_balancing", sa.String(length=16), nullable=False),
        sa.Column("parameters", models.base.Json, nullable=False),
        sa.Column("forward", models.base.Json, nullable=False),
        sa.Column("fallback", models.base.Json, nullable=False),
        sa.Column("capabilities", models.base.Json, nullable=False),
        sa.Column("limits", models.base.Json, nullable=False),
        sa.Column("disconnect_policy", sa.String(length=16), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_models")),
        sa.UniqueConstraint("slug", name=op.f("uq_ai_models_slug")),
    )
    op.create_table(
        "allowance_effects",
        sa.Column("seq", models.base.BigId, autoincrement=True, nullable=False),
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("applied_at", models.base.UtcTimestamp(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_allowance_effects")),
    )
    op.create_index(
        op.f("ix_allowance_effects_applied_at"), "allowance_effects", ["applied_at"], unique=False
    )

    op.create_table(
        "attempts",
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("backend_id", models.base.Id, nullable=False),
        sa.Column("provider_key_id", models.base.Id, nullable=True),
        sa.Column("upstream_model", sa.String(length=255), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("http_status", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("created_at", "request_id", "number", name=op.f("pk_attempts")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_table(
        "capability_tags",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capability_tags")),
        sa.UniqueConstraint("code", name=op.f("uq_capability_tags_code")),
    )
    op.create_table(
        "changes",
        sa.Column("seq", models.base.BigId, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
    )
    op.create_table(
        "cost_multipliers",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("scope_id", models.base.Id, nullable=False),
        sa.Column("factor_millionths", sa.BigInteger(), nullable=False),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_multipliers")),
    )
    op.create_index(
        op.f("ix_cost_multipliers_scope_scope_id"),
        "cost_multipliers",
        ["scope", "scope_id"],
        unique=True,
    )

    op.create_table(
        "drain_state",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("watermark", sa.String(length=64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_drain_state")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("app_id", models.base.Id, nullable=True),
        sa.Column("api_key_id", models.base.Id, nullable=True),
        sa.Column("model_id", models.base.Id, nullable=True),
        sa.Column("amount_nanos", sa.BigInteger(), nullable=False),
        sa.Column("overrun_nanos", sa.BigInteger(), nullable=False),
        sa.Column("held_nanos", sa.BigInteger(), nullable=False),
        sa.Column("price_version_id", models.base.Id, nullable=True),
        sa.Column("usage", models.base.Json, nullable=False),
        sa.Column("disconnect_policy", sa.String(length=16), nullable=True),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("reference", "slot", name=op.f("uq_ledger_entries_reference_slot")),
    )
    op.create_index(
        op.f("ix_ledger_entries_api_key_id"), "ledger_entries", ["api_key_id"], unique=False
    )
    op.create_index(op.f("ix_ledger_entries_app_id"), "ledger_entries", ["app_id"], unique=False)
    op.create_index(
        op.f("ix_ledger_entries_user_id_created_at"),
        "ledger_entries",
        ["user_id", "created_at"],
        unique=False,
    )

    op.create_table(
        "policies",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("models", models.base.Json, nullable=False),
        sa.Column("default_model", sa.String(length=255), nullable=True),
        sa.Column("rate_limit", sa.BigInteger(), nullable=True),
        sa.Column("rate_limit_window_seconds", sa.BigInteger(), nullable=True),
        sa.Column("request_quota_daily", sa.BigInteger(), nullable=True),
        sa.Column("token_quota_daily", sa.BigInteger(), nullable=True),
        sa.Column("token_quota_monthly", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("cost_quota_daily_nanos", sa.BigInteger(), nullable=True),
        sa.Column("cost_quota_monthly_nanos", sa.BigInteger(), nullable=True),
        sa.Column("max_concurrency", sa.BigInteger(), nullable=True),
        sa.Column("max_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("available_time_ranges", models.base.Json, nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("per_model", models.base.Json, nullable=False),
        sa.Column("region", sa.String(length=255), nullable=True),
        sa.Column("region_strict", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("disconnect_policy", sa.String(length=16), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("name", name=op.f("uq_policies_name")),
    )
    op.create_table(
        "processes",
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("heartbeat_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_index(op.f("ix_processes_heartbeat_at"), "processes", ["heartbeat_at"], unique=False)

    op.create_table(
        "providers",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("adapter", sa.String(length=64), nullable=False),
        sa.Column("auth_style", sa.String(length=64), nullable=False),
        sa.Column("path_templates", models.base.Json, nullable=False),
        sa.Column("api_version", sa.String(length=64), nullable=True),
        sa.Column("headers", models.base.Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_providers")),
        sa.UniqueConstraint("code", name=op.f("uq_providers_code")),
    )
    op.create_table(
        "requests",
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("app_id", models.base.Id, nullable=True),
        sa.Column("api_key_id", models.base.Id, nullable=True),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("answered_model", sa.String(length=255), nullable=False),
        sa.Column("backend_id", models.base.Id, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("http_status", sa.BigInteger(), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("charge_nanos", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("overrun_nanos", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_ms", sa.BigInteger(), nullable=True),
        sa.Column("client_ip", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("details", models.base.Json, nullable=False),
        sa.PrimaryKeyConstraint("created_at", "id", name=op.f("pk_requests")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index(op.f("ix_requests_id"), "requests", ["id"], unique=False)
    op.create_index(
        op.f("ix_requests_user_id_created_at"), "requests", ["user_id", "created_at"], unique=False
    )

    op.create_table(
        "revisions",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "object_id", name=op.f("pk_revisions")),
    )
    op.create_table(
        "rollups",
        sa.Column("hour", models.base.UtcTimestamp(), nullable=False),
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("app_id", models.base.Id, nullable=False),
        sa.Column("api_key_id", models.base.Id, nullable=False),
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.Column("backend_id", models.base.Id, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("charge_nanos", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("overrun_nanos", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour",
            "user_id",
            "app_id",
            "api_key_id",
            "model_id",
            "backend_id",
            name=op.f("pk_rollups"),
        ),
    )
    op.create_index(op.f("ix_rollups_model_id_hour"), "rollups", ["model_id", "hour"], unique=False)
    op.create_index(op.f("ix_rollups_user_id_hour"), "rollups", ["user_id", "hour"], unique=False)

    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", models.base.Json, nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "ticks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("next_run_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("lease_until", models.base.UtcTimestamp(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("last_started_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("last_finished_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ticks")),
    )
    op.create_table(
        "backends",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("provider_id", models.base.Id, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("max_concurrency", sa.BigInteger(), nullable=False),
        sa.Column("limits", models.base.Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("healthy", sa.Boolean(), nullable=False),
        sa.Column("fail_count", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_check_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name=op.f("fk_backends_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backends")),
        sa.UniqueConstraint("slug", name=op.f("uq_backends_slug")),
    )
    op.create_index(op.f("ix_backends_provider_id"), "backends", ["provider_id"], unique=False)

    op.create_table(
        "model_capability_tags",
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.Column("tag_id", models.base.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["ai_models.id"],
            name=op.f("fk_model_capability_tags_model_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"],
            ["capability_tags.id"],
            name=op.f("fk_model_capability_tags_tag_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_id", "tag_id", name=op.f("pk_model_capability_tags")),
    )
    op.create_table(
        "price_versions",
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["ai_models.id"], name=op.f("fk_price_versions_model_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_versions")),
    )
    op.create_index(
        op.f("ix_price_versions_model_id_version"),
        "price_versions",
        ["model_id", "version"],
        unique=True,
    )

    op.create_table(
        "provider_keys",
        sa.Column("provider_id", models.base.Id, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("agents_only", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name=op.f("fk_provider_keys_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_keys")),
    )
    op.create_index(
        op.f("ix_provider_keys_provider_id"), "provider_keys", ["provider_id"], unique=False
    )

    op.create_table(
        "users",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("account", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("department", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("policy_id", models.base.Id, nullable=False),
        sa.Column("last_login_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=True),
        sa.Column("used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_users_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("account", name=op.f("uq_users_account")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("number", name=op.f("uq_users_number")),
    )
    op.create_table(
        "apps",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("models", models.base.Json, nullable=True),
        sa.Column("ip_allow", models.base.Json, nullable=False),
        sa.Column("ip_deny", models.base.Json, nullable=False),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=True),
        sa.Column("used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_apps_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apps")),
        sa.UniqueConstraint("number", name=op.f("uq_apps_number")),
    )
    op.create_index(op.f("ix_apps_user_id"), "apps", ["user_id"], unique=False)

    op.create_table(
        "backend_models",
        sa.Column("backend_id", models.base.Id, nullable=False),
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.Column("upstream_model", sa.String(length=255), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backend_id"], ["backends.id"], name=op.f("fk_backend_models_backend_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["ai_models.id"], name=op.f("fk_backend_models_model_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backend_models")),
    )
    op.create_index(
        op.f("ix_backend_models_backend_id_model_id"),
        "backend_models",
        ["backend_id", "model_id"],
        unique=True,
    )
    op.create_index(
        op.f("ix_backend_models_model_id"), "backend_models", ["model_id"], unique=False
    )

    op.create_table(
        "price_rows",
        sa.Column("price_version_id", models.base.Id, nullable=False),
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("nanos_per_million", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["price_version_id"], ["price_versions.id"], name=op.f("fk_price_rows_price_version_id")
        ),
        sa.PrimaryKeyConstraint(
            "price_version_id", "dimension", "variant", name=op.f("pk_price_rows")
        ),
    )
    op.create_table(
        "provider_key_backends",
        sa.Column("provider_key_id", models.base.Id, nullable=False),
        sa.Column("backend_id", models.base.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["backend_id"],
            ["backends.id"],
            name=op.f("fk_provider_key_backends_backend_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_key_id"],
            ["provider_keys.id"],
            name=op.f("fk_provider_key_backends_provider_key_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "provider_key_id", "backend_id", name=op.f("pk_provider_key_backends")
        ),
    )
    op.create_table(
        "provider_key_models",
        sa.Column("provider_key_id", models.base.Id, nullable=False),
        sa.Column("model_id", models.base.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["ai_models.id"],
            name=op.f("fk_provider_key_models_model_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_key_id"],
            ["provider_keys.id"],
            name=op.f("fk_provider_key_models_provider_key_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("provider_key_id", "model_id", name=op.f("pk_provider_key_models")),
    )
    op.create_table(
        "api_keys",
        sa.Column("user_id", models.base.Id, nullable=False),
        sa.Column("app_id", models.base.Id, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("key_sealed", sa.Text(), nullable=False),
        sa.Column("key_prefix", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("models", models.base.Json, nullable=True),
        sa.Column("ip_allow", models.base.Json, nullable=False),
        sa.Column("ip_deny", models.base.Json, nullable=False),
        sa.Column("disconnect_policy", sa.String(length=16), nullable=True),
        sa.Column("valid_until", models.base.UtcTimestamp(), nullable=True),
        sa.Column("last_used_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=True),
        sa.Column("used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_used_nanos", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", models.base.UtcTimestamp(), nullable=True),
        sa.Column("id", models.base.Id, nullable=False),
        sa.Column("created_at", models.base.UtcTimestamp(), nullable=False),
        sa.Column("updated_at", models.base.UtcTimestamp(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_api_keys_app_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_app_id"), "api_keys", ["app_id"], unique=False)
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        # Where rows land whose month has no partition of its own yet.
        for table in ("requests", "attempts"):
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    op.drop_index(op.f("ix_api_keys_user_id"), table_name="api_keys")
    op.drop_index(op.f("ix_api_keys_app_id"), table_name="api_keys")

    op.drop_table("api_keys")
    op.drop_table("provider_key_models")
    op.drop_table("provider_key_backends")
    op.drop_table("price_rows")
    op.drop_index(op.f("ix_backend_models_model_id"), table_name="backend_models")
    op.drop_index(op.f("ix_backend_models_backend_id_model_id"), table_name="backend_models")

    op.drop_table("backend_models")
    op.drop_index(op.f("ix_apps_user_id"), table_name="apps")

    op.drop_table("apps")
    op.drop_table("users")
    op.drop_index(op.f("ix_provider_keys_provider_id"), table_name="provider_keys")

    op.drop_table("provider_keys")
    op.drop_index(op.f("ix_price_versions_model_id_version"), table_name="price_versions")

    op.drop_table("price_versions")
    op.drop_table("model_capability_tags")
    op.drop_index(op.f("ix_backends_provider_id"), table_name="backends")

    op.drop_table("backends")
    op.drop_table("ticks")
    op.drop_table("settings")
    op.drop_index(op.f("ix_rollups_user_id_hour"), table_name="rollups")
    op.drop_index(op.f("ix_rollups_model_id_hour"), table_name="rollups")

    op.drop_table("rollups")
    op.drop_table("revisions")
    op.drop_index(op.f("ix_requests_user_id_created_at"), table_name="requests")
    op.drop_index(op.f("ix_requests_id"), table_name="requests")

    op.drop_table("requests")
    op.drop_table("providers")
    op.drop_index(op.f("ix_processes_heartbeat_at"), table_name="processes")

    op.drop_table("processes")
    op.drop_table("policies")
    op.drop_index(op.f("ix_ledger_entries_user_id_created_at"), table_name="ledger_entries")
    op.drop_index(op.f("ix_ledger_entries_app_id"), table_name="ledger_entries")
    op.drop_index(op.f("ix_ledger_entries_api_key_id"), table_name="ledger_entries")

    op.drop_table("ledger_entries")
    op.drop_table("drain_state")
    op.drop_index(op.f("ix_cost_multipliers_scope_scope_id"), table_name="cost_multipliers")

    op.drop_table("cost_multipliers")
    op.drop_table("changes")
    op.drop_table("capability_tags")
    op.drop_table("attempts")
    op.drop_index(op.f("ix_allowance_effects_applied_at"), table_name="allowance_effects")

    op.drop_table("allowance_effects")
    op.drop_table("ai_models")
