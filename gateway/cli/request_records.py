"""Records of calls and of their attempts, as ``sluice requests`` shows them."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Row, Select, or_, select

from gateway import money
from gateway.configuration import people
from gateway.configuration.problems import ConfigurationError
from gateway.db import ReadSession
from models import (
    AIModel,
    ApiKey,
    App,
    Attempt,
    Backend,
    LedgerEntry,
    ProviderKey,
    RequestRecord,
    RequestStatus,
    User,
)

# Who leaves has not failed.
FAILED = (RequestStatus.FAILED, RequestStatus.INTERRUPTED, RequestStatus.ABANDONED)
HOLDING_SLOT = "final"

Found = Row[RequestRecord, User | None, str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class RequestView:
    id: str
    created_at: dt.datetime
    user: str
    app: str | None
    api_key: str | None
    surface: str
    operation: str
    model: str
    answered_model: str
    backend: str | None
    stream: bool
    status: str
    http_status: int
    error_code: str | None
    attempts: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    basis: str
    charge_usd: str
    charge_nanos: int
    cost_nanos: int
    overrun_nanos: int
    duration_ms: int
    first_byte_ms: int | None


@dataclass(frozen=True, slots=True)
class AttemptView:
    number: int
    backend: str
    provider_key: str | None
    upstream_model: str
    outcome: str
    http_status: int | None
    error: str | None
    started_ms: int
    duration_ms: int
    cost_nanos: int


class Held(NamedTuple):
    nanos: int
    disconnect_policy: str | None


@dataclass(frozen=True, slots=True)
class RequestReport:
    """Everything that is kept about one call."""

    request: RequestView
    held_usd: str | None
    held_nanos: int | None
    disconnect_policy: str | None
    attempts: list[AttemptView]


def list_requests(
    session: ReadSession, last: int, model: str | None, *, failed: bool
) -> list[RequestView]:
    """The newest first; ``model`` is a slug, a name that was asked for, or one that answered."""
    query = _requests().order_by(RequestRecord.created_at.desc(), RequestRecord.id.desc())
    if failed:
        query = query.where(RequestRecord.status.in_(FAILED))
    if model is not None:
        of_slug = select(AIModel.id).where(AIModel.slug == model)
        query = query.where(
            or_(
                RequestRecord.model == model,
                RequestRecord.answered_model == model,
                RequestRecord.model_id.in_(of_slug),
            )
        )
    return [_view(row) for row in session.execute(query.limit(last))]


def get_report(session: ReadSession, request_id: str) -> RequestReport:
    newest = RequestRecord.created_at.desc()
    query = _requests().where(RequestRecord.id == request_id).order_by(newest).limit(1)
    row = session.execute(query).one_or_none()
    if row is None:
        msg = f"there is no record of a request {request_id!r}; a new one takes a second to appear"
        raise ConfigurationError(msg)
    held = _find_held(session, request_id)
    return RequestReport(
        request=_view(row),
        held_usd=held and money.format_usd(held.nanos),
        held_nanos=held and held.nanos,
        disconnect_policy=held and held.disconnect_policy,
        attempts=_list_attempts(session, row[0]),
    )


def _requests() -> Select[RequestRecord, User | None, str | None, str | None, str | None]:
    """What is named in a record may be gone by now."""
    return (
        select(RequestRecord, User, App.name, ApiKey.name, Backend.slug)
        .outerjoin(User, User.id == RequestRecord.user_id)
        .outerjoin(App, App.id == RequestRecord.app_id)
        .outerjoin(ApiKey, ApiKey.id == RequestRecord.api_key_id)
        .outerjoin(Backend, Backend.id == RequestRecord.backend_id)
    )


def _view(row: Found) -> RequestView:
    record, user, app, api_key, backend = row
    return RequestView(
        id=record.id,
        created_at=record.created_at,
        user=people.label_of(user) if user is not None else record.user_id,
        app=app or record.app_id,
        api_key=api_key or record.api_key_id,
        surface=record.surface,
        operation=record.operation,
        model=record.model,
        answered_model=record.answered_model,
        backend=backend or record.backend_id,
        stream=record.stream,
        status=record.status,
        http_status=record.http_status,
        error_code=record.error_code,
        attempts=record.attempts,
        input_tokens=record.input_tokens,
        cached_tokens=record.cached_tokens,
        cache_write_tokens=record.cache_write_tokens,
        output_tokens=record.output_tokens,
        reasoning_tokens=record.reasoning_tokens,
        basis=record.basis,
        charge_usd=money.format_usd(record.charge_nanos),
        charge_nanos=record.charge_nanos,
        cost_nanos=record.cost_nanos,
        overrun_nanos=record.overrun_nanos,
        duration_ms=record.duration_ms,
        first_byte_ms=record.first_byte_ms,
    )


def _find_held(session: ReadSession, request_id: str) -> Held | None:
    row = session.execute(
        select(LedgerEntry.held_nanos, LedgerEntry.disconnect_policy).where(
            LedgerEntry.reference == request_id, LedgerEntry.slot == HOLDING_SLOT
        )
    ).one_or_none()
    return None if row is None else Held(*row)


def _list_attempts(session: ReadSession, record: RequestRecord) -> list[AttemptView]:
    rows = session.execute(
        select(Attempt, Backend.slug, ProviderKey.name)
        .outerjoin(Backend, Backend.id == Attempt.backend_id)
        .outerjoin(ProviderKey, ProviderKey.id == Attempt.provider_key_id)
        .where(Attempt.created_at == record.created_at, Attempt.request_id == record.id)
        .order_by(Attempt.number)
    )
    return [
        AttemptView(
            number=attempt.number,
            backend=backend or attempt.backend_id,
            provider_key=provider_key or attempt.provider_key_id,
            upstream_model=attempt.upstream_model,
            outcome=attempt.outcome,
            http_status=attempt.http_status,
            error=attempt.error,
            started_ms=attempt.started_ms,
            duration_ms=attempt.duration_ms,
            cost_nanos=attempt.cost_nanos,
        )
        for attempt, backend, provider_key in rows
    ]
