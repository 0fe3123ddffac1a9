"""Writing the database down as a document whose import changes nothing."""

from sqlalchemy import select

from gateway.configuration import document
from gateway.configuration.export_catalog import CatalogExport
from gateway.configuration.export_people import PeopleExport
from gateway.configuration.written import fields, usd
from gateway.crypto import Sealer
from gateway.db import ReadSession
from models import Policy

POLICY = (
    *("name", "description", "models", "default_model", "rate_limit", "rate_limit_window_seconds"),
    *("request_quota_daily", "token_quota_daily", "token_quota_monthly", "tokens_per_minute"),
    *("max_concurrency", "max_output_tokens", "timezone", "per_model", "region", "region_strict"),
    *("priority", "disconnect_policy"),
)


def export(
    session: ReadSession, sealer: Sealer, *, with_secrets: bool = False
) -> document.Document:
    """Everything that an import can set; what was spent is not part of it."""
    opener = sealer if with_secrets else None
    catalog = CatalogExport(session, opener)
    return document.Document(
        capability_tags=catalog.tags(),
        policies=[_policy(row) for row in session.scalars(select(Policy).order_by(Policy.name))],
        providers=catalog.providers(),
        models=catalog.models(),
        users=PeopleExport(session, opener).users(),
    )


def _policy(row: Policy) -> document.Policy:
    return document.Policy(
        **fields(row, *POLICY),
        cost_quota_daily_usd=usd(row.cost_quota_daily_nanos),
        cost_quota_monthly_usd=usd(row.cost_quota_monthly_nanos),
        available_time_ranges=[
            document.TimeRange(start=item["start"], end=item["end"])
            for item in row.available_time_ranges
        ],
    )
