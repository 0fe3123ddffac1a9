"""Many rows in one statement, on both engines.

PostgreSQL is given the rows as one JSON document: its driver would otherwise send or
format every row by itself, which costs more than the rest of the drain together.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import Table, TableValuedAlias, bindparam, column, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from gateway.db import Session
from models import Base

Row = dict[str, Any]


def insert_new(
    session: Session, model: type[Base], rows: Sequence[Row], returning: str
) -> set[Any]:
    """Insert what is not there yet; the values of one column for the rows that are new."""
    if not rows:
        return set()
    table = _table(model)
    insert, parameters = _insert(session, table, rows)
    statement = insert.on_conflict_do_nothing().returning(table.c[returning])
    return set(session.connection().execute(statement, parameters).scalars())


def insert_or_add(
    session: Session, model: type[Base], rows: Sequence[Row], counters: Sequence[str]
) -> None:
    """Insert rows, or add their counters to the row that has the same primary key."""
    table = _table(model)
    insert, parameters = _insert(session, table, rows)
    statement = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + insert.excluded[name] for name in counters},
    )
    session.connection().execute(statement, parameters)


def add(session: Session, model: type[Base], rows: Sequence[Row], counters: Sequence[str]) -> None:
    """Add counters to existing rows; every row names its ``id`` and the counters."""
    if _is_postgres(session):
        _add_given(session, _table(model), rows, counters)
    else:
        _add_each(session, _table(model), rows, counters)


def _add_each(session: Session, table: Table, rows: Sequence[Row], counters: Sequence[str]) -> None:
    sums = {name: table.c[name] + bindparam(f"more_{name}") for name in counters}
    parameters = [
        {"row_id": row["id"]} | {f"more_{name}": row[name] for name in counters} for row in rows
    ]
    statement = update(table).where(table.c.id == bindparam("row_id")).values(sums)
    session.connection().execute(statement, parameters)


def _add_given(
    session: Session, table: Table, rows: Sequence[Row], counters: Sequence[str]
) -> None:
    more = _given(table, ["id", *counters])
    is_meant = table.c.id == more.c.id
    parameters = {"rows": _encode(rows)}
    # Always in this order, so that two transactions never wait for each other.
    locked = select(table.c.id).where(is_meant).order_by(table.c.id).with_for_update(of=table)
    session.execute(locked, parameters)
    sums = {name: table.c[name] + more.c[name] for name in counters}
    session.execute(update(table).where(is_meant).values(sums), parameters)


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _table(model: type[Base]) -> Table:
    return cast("Table", model.__table__)


def _insert(
    session: Session, table: Table, rows: Sequence[Row]
) -> tuple[postgresql.Insert | sqlite.Insert, Any]:
    if not _is_postgres(session):
        return sqlite.insert(table), rows
    names = list(rows[0])
    insert = postgresql.insert(table).from_select(names, select(*_given(table, names).c))
    return insert, {"rows": _encode(rows)}


def _encode(rows: Sequence[Row]) -> str:
    return msgspec.json.encode(rows).decode()


def _given(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """The parameter ``rows`` as a relation with some columns of a table."""
    document = sa.cast(bindparam("rows", type_=sa.Text), sa.JSON)
    types: list[TypeEngine[Any]] = [table.c[name].type for name in names]
    columns = (column(name, type_) for name, type_ in zip(names, types, strict=True))
    relation = func.json_to_recordset(document).table_valued(*columns)
    return relation.render_derived(name="given", with_types=True)
