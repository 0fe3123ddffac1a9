"""Request records and attempts: what one settlement or abandoned hold becomes."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, update

from gateway import ledger
from gateway.admission.events import HoldInfo, Settlement
from gateway.db import Session
from gateway.usage.drain_stream import StreamEvent
from models import Attempt, Basis, RequestRecord, RequestStatus

Row = dict[str, Any]

INPUT = ("input", "cached_input", "cache_write", "audio_input")
OUTPUT = ("output", "reasoning", "audio_output")


class Tokens(NamedTuple):
    """Totals as clients know them, made of quantities that do not overlap."""

    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int


def count_tokens(usage: Iterable[tuple[str, str, int]]) -> Tokens:
    """Prompt totals include cached and cache-written tokens, output includes reasoning."""
    sums: dict[str, int] = {}
    for dimension, _, quantity in usage:
        sums[dimension] = sums.get(dimension, 0) + quantity
    return Tokens(
        input=sum(sums.get(name, 0) for name in INPUT),
        cached=sums.get("cached_input", 0),
        cache_write=sums.get("cache_write", 0),
        output=sum(sums.get(name, 0) for name in OUTPUT),
        reasoning=sums.get("reasoning", 0),
    )


def at(epoch_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch_ms / 1000, dt.UTC)


def build_request(event: StreamEvent) -> Row:
    if event.settlement is None:
        return _abandoned_request(event.hold, event.amount_nanos)
    return _settled_request(event.settlement)


def _call_columns(hold: HoldInfo) -> Row:
    return {
        "created_at": at(hold.started_ms),
        "id": hold.reference,
        "user_id": hold.user_id,
        "app_id": hold.app_id,
        "api_key_id": hold.api_key_id,
        "surface": hold.surface,
        "operation": hold.operation,
        "model_id": hold.model_id,
        "model": hold.model[:255],
        "stream": hold.stream,
        "client_ip": hold.client_ip[:64],
        "user_agent": hold.user_agent[:255],
    }


def _settled_request(settlement: Settlement) -> Row:
    tokens = count_tokens(settlement.usage)
    return _call_columns(settlement.hold) | {
        "answered_model": settlement.answered_model[:255],
        "backend_id": settlement.backend_id,
        "status": settlement.status,
        "http_status": settlement.http_status,
        "error_code": settlement.error_code and settlement.error_code[:64],
        "attempts": len(settlement.attempts),
        "input_tokens": tokens.input,
        "cached_tokens": tokens.cached,
        "cache_write_tokens": tokens.cache_write,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "basis": settlement.basis,
        "charge_nanos": settlement.amount_nanos,
        "cost_nanos": settlement.cost_nanos,
        "overrun_nanos": settlement.overrun_nanos,
        "duration_ms": max(0, settlement.ended_ms - settlement.hold.started_ms),
        "first_byte_ms": settlement.first_byte_ms,
        "region": settlement.region[:64],
        "details": settlement.details,
    }


def _abandoned_request(hold: HoldInfo, amount_nanos: int) -> Row:
    """What is known of a call whose process died: that it began."""
    return _call_columns(hold) | {
        "answered_model": "",
        "backend_id": None,
        "status": RequestStatus.ABANDONED,
        "http_status": 0,
        "error_code": None,
        "attempts": 0,
        "input_tokens": 0,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 0,
        "reasoning_tokens": 0,
        "basis": Basis.NONE,
        "charge_nanos": amount_nanos,
        "cost_nanos": 0,
        "overrun_nanos": 0,
        "duration_ms": 0,
        "first_byte_ms": None,
        "region": "",
        "details": {},
    }


def build_attempts(event: StreamEvent) -> list[Row]:
    if event.settlement is None:
        return []
    created_at = at(event.hold.started_ms)
    return [
        {
            "created_at": created_at,
            "request_id": event.hold.reference,
            "number": number,
            "backend_id": attempt.backend_id,
            "provider_key_id": attempt.provider_key_id,
            "upstream_model": attempt.upstream_model[:255],
            "outcome": attempt.outcome[:32],
            "http_status": attempt.http_status,
            "error": attempt.error,
            "started_ms": attempt.started_ms,
            "duration_ms": attempt.duration_ms,
            "cost_nanos": attempt.cost_nanos,
        }
        for number, attempt in enumerate(event.settlement.attempts, start=1)
    ]


def insert(session: Session, requests: Sequence[Row], attempts: Sequence[Row]) -> None:
    """Write records; one that is there already stays as it is."""
    ledger.insert_new(session, RequestRecord, requests, returning="id")
    ledger.insert_new(session, Attempt, attempts, returning="number")


def replace(session: Session, row: Row) -> Row | None:
    """Put the real record in the place of an abandoned one; the record as it was."""
    table = RequestRecord.__table__.c
    is_it = (table.created_at == row["created_at"]) & (table.id == row["id"])
    old = session.execute(select(*table).where(is_it)).mappings().one_or_none()
    if old is None:
        return None
    session.execute(update(RequestRecord).where(is_it).values(row))
    return dict(old)
