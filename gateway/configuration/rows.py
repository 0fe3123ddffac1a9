"""One row at a time: find it by what names it, create it, or set what differs."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from sqlalchemy import select

from gateway import clock, ids, money
from gateway.configuration.changes import Outcome
from gateway.configuration.document import Part
from gateway.configuration.problems import ConfigurationError
from gateway.db import ReadSession, Session
from models import Base

T = TypeVar("T", bound=Base)


def find(session: ReadSession, table: type[T], **natural: object) -> T | None:
    """The one row with these values; two of them cannot be told apart by a file."""
    rows = session.scalars(select(table).filter_by(**natural).limit(2)).all()
    if len(rows) > 1:
        names = ", ".join(f"{name} {value}" for name, value in natural.items())
        msg = f"there are several {table.__tablename__} with {names}; rename all but one"
        raise ConfigurationError(msg)
    return rows[0] if rows else None


def create(session: Session, table: type[T], values: Mapping[str, Any]) -> T:
    now = clock.now()
    row = table(id=ids.new_uuid(), created_at=now, updated_at=now, **values)
    session.add(row)
    session.flush()
    return row


def update(row: T, values: Mapping[str, Any]) -> Outcome:
    """Set what differs."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not differing:
        return Outcome.UNCHANGED
    for name, value in {**differing, "updated_at": clock.now()}.items():
        setattr(row, name, value)
    return Outcome.UPDATED


def save(
    session: Session,
    table: type[T],
    row: T | None,
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> tuple[T, Outcome]:
    """Update ``row``, or create it with ``defaults`` for what ``values`` leaves open."""
    if row is None:
        return create(session, table, {**defaults, **values}), Outcome.CREATED
    return row, update(row, values)


def given(part: Part, *names: str) -> dict[str, Any]:
    """The fields among ``names`` that the file has."""
    values = {name: getattr(part, name) for name in names}
    return {name: value for name, value in values.items() if value is not UNSET}


def given_nanos(part: Part, names: Iterable[str]) -> dict[str, int | None]:
    """``limit_usd`` of the file as ``limit_nanos`` of the table."""
    return {
        f"{name}_nanos": None if amount is None else money.from_usd(amount)
        for name in names
        if not isinstance(amount := getattr(part, f"{name}_usd"), UnsetType)
    }


def factor_millionths(multiplier: Decimal, path: str) -> int:
    if not multiplier.is_finite() or not 0 <= multiplier <= 1_000_000:
        msg = f"{path}: cost_multiplier must lie between 0 and 1000000"
        raise ConfigurationError(msg)
    return round(multiplier * 1_000_000)
