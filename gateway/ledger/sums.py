"""What projections and rollups should be: the sums of ledger entries and request records."""

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select, type_coerce

from gateway.db import ReadSession
from gateway.ledger.projections import NOT_CONSUMPTION
from models import EntryKind, LedgerEntry, RequestRecord, RequestStatus, Rollup
from models.base import Id

AnySelect = Select[*tuple[Any, ...]]

NIL_ID = "00000000-0000-0000-0000-000000000000"
FAILED_STATUSES = (RequestStatus.FAILED, RequestStatus.INTERRUPTED, RequestStatus.ABANDONED)

ROLLUP_KEY = ("hour", "user_id", "app_id", "api_key_id", "model_id", "backend_id")
SUMMED = (
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "charge_nanos",
    "cost_nanos",
    "overrun_nanos",
    "duration_ms",
)
ROLLUP_COUNTERS = ("requests", "failed", *SUMMED)


def entries_by_owner(column: str, levels: tuple[str, ...]) -> AnySelect:
    """owner, used, lifetime: what the ledger says of every user, app or key."""
    owner: ColumnElement[Any] = LedgerEntry.__table__.c[column]
    amount = LedgerEntry.amount_nanos
    consumed = case((LedgerEntry.kind.in_(NOT_CONSUMPTION), 0), else_=amount)
    return (
        select(
            owner.label("owner"),
            func.sum(amount).label("used"),
            func.sum(consumed).label("lifetime"),
        )
        .where(owner.is_not(None), LedgerEntry.level.in_(levels))
        .group_by(owner)
    )


def entries_by_call(since: dt.datetime) -> AnySelect:
    """reference, finals, charge, overrun of every call in the ledger."""
    is_final = case((LedgerEntry.slot == "final", 1), else_=0)
    kinds = (EntryKind.CHARGE, EntryKind.RELEASE, EntryKind.ABANDONED, EntryKind.ADJUSTMENT)
    return (
        select(
            LedgerEntry.reference,
            func.sum(is_final).label("finals"),
            func.sum(LedgerEntry.amount_nanos).label("charge"),
            func.sum(LedgerEntry.overrun_nanos).label("overrun"),
        )
        .where(
            LedgerEntry.created_at >= since,
            LedgerEntry.kind.in_(kinds),
            LedgerEntry.reference.startswith("req_", autoescape=True),
        )
        .group_by(LedgerEntry.reference)
    )


def requests_by_hour(session: ReadSession, since: dt.datetime, until: dt.datetime) -> AnySelect:
    """What the rollups of a span of whole hours should be."""
    request = RequestRecord.__table__.c
    nil = literal(NIL_ID, Id)
    key = [
        _hour(session).label("hour"),
        request.user_id,
        func.coalesce(request.app_id, nil).label("app_id"),
        func.coalesce(request.api_key_id, nil).label("api_key_id"),
        request.model_id,
        func.coalesce(request.backend_id, nil).label("backend_id"),
    ]
    failed = case((request.status.in_(FAILED_STATUSES), 1), else_=0)
    return (
        select(
            *key,
            func.count().label("requests"),
            func.sum(failed).label("failed"),
            *(func.sum(request[column]).label(column) for column in SUMMED),
        )
        .where(request.created_at >= since, request.created_at < until)
        .group_by(*key)
    )


def rollups(since: dt.datetime, until: dt.datetime) -> AnySelect:
    columns = Rollup.__table__.c
    return select(*(columns[name] for name in (*ROLLUP_KEY, *ROLLUP_COUNTERS))).where(
        columns.hour >= since, columns.hour < until
    )


def _hour(session: ReadSession) -> ColumnElement[dt.datetime]:
    """The hour of a request, in the form in which ``rollups.hour`` is stored."""
    created_at = RequestRecord.created_at
    if session.get_bind().dialect.name == "postgresql":
        return func.date_trunc("hour", created_at)
    text = func.substr(created_at, 1, 13).concat(":00:00.000000")
    return type_coerce(text, created_at.type)
