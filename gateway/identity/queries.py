"""The SQL behind callers and their allowances."""

import datetime as dt

from sqlalchemy import select

from gateway.db import POLICY, USER, ReadSession
from gateway.db.revisions import get_revision
from gateway.identity.views import Caller, PolicyView
from models import ApiKey, App, Policy, Status, User, UserStatus


def find_caller(session: ReadSession, key_hash: str) -> Caller | None:
    row = session.execute(
        select(ApiKey, User, App, Policy)
        .join(User, User.id == ApiKey.user_id)
        .join(Policy, Policy.id == User.policy_id)
        .outerjoin(App, App.id == ApiKey.app_id)
        .where(ApiKey.key_hash == key_hash)
    ).one_or_none()
    if row is None:
        return None
    key, user, policy = row[0], row[1], row[3]
    app: App | None = row[2]
    return Caller(
        api_key_id=key.id,
        user_id=user.id,
        app_id=key.app_id,
        revision=get_revision(session, USER, user.id),
        policy=_policy_view(policy, get_revision(session, POLICY, policy.id)),
        role=user.role,
        refusal=_refusal(key, user, app),
        model_lists=_model_lists(key, app),
        valid_until=key.valid_until,
        allowance_ends_at=_earliest(
            user.expires_at, key.expires_at, app.expires_at if app is not None else None
        ),
        disconnect_policy=key.disconnect_policy or policy.disconnect_policy,
        address_lists=_address_lists(key, app),
    )


def _address_lists(
    key: ApiKey, app: App | None
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    owners = (key,) if app is None else (key, app)
    lists = ((tuple(owner.ip_allow), tuple(owner.ip_deny)) for owner in owners)
    return tuple(pair for pair in lists if any(pair))


def _refusal(key: ApiKey, user: User, app: App | None) -> str | None:
    if key.status != Status.ACTIVE:
        return "This API key is disabled."
    if user.status != UserStatus.ACTIVE:
        return "The owner of this API key is not active."
    if app is not None and app.status != Status.ACTIVE:
        return "The app of this API key is disabled."
    return None


def _model_lists(key: ApiKey, app: App | None) -> tuple[frozenset[str], ...]:
    """An absent or empty list of a key or app admits everything; a policy's admits nothing."""
    owners = (key,) if app is None else (key, app)
    return tuple(frozenset(owner.models) for owner in owners if owner.models)


def _earliest(*moments: dt.datetime | None) -> dt.datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _policy_view(policy: Policy, revision: int) -> PolicyView:
    return PolicyView(
        id=policy.id,
        name=policy.name,
        revision=revision,
        models=frozenset(policy.models),
        rate_limit=policy.rate_limit or None,
        rate_limit_window_seconds=policy.rate_limit_window_seconds or None,
        request_quota_daily=policy.request_quota_daily or None,
        token_quota_daily=policy.token_quota_daily or None,
        token_quota_monthly=policy.token_quota_monthly or None,
        tokens_per_minute=policy.tokens_per_minute or None,
        cost_quota_daily_nanos=policy.cost_quota_daily_nanos or None,
        cost_quota_monthly_nanos=policy.cost_quota_monthly_nanos or None,
        max_concurrency=policy.max_concurrency or None,
        max_output_tokens=policy.max_output_tokens or None,
        timezone=policy.timezone,
        time_ranges=tuple((r["start"], r["end"]) for r in policy.available_time_ranges),
        default_model=policy.default_model,
        region=policy.region,
        region_strict=policy.region_strict,
        disconnect_policy=policy.disconnect_policy,
        per_model=policy.per_model,
    )
