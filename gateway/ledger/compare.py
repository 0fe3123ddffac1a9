"""Comparing two queries in the database, so that only what differs is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, or_, select, union_all

from gateway.db import ReadSession
from gateway.ledger.sums import AnySelect

READ_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that should be ``expected`` and is ``found``."""

    check: str
    subject: str
    expected: str
    found: str


def differences(
    session: ReadSession, check: str, expected: AnySelect, found: AnySelect, keys: int
) -> Iterator[Difference]:
    """Compare two queries of the same columns, of which the first ``keys`` identify a row.

    A row that only one of them has counts as zeros in the other.
    """
    values = list(expected.selected_columns.keys())[keys:]
    statement = _differing(expected, found, keys).execution_options(yield_per=READ_AT_ONCE)
    for row in session.execute(statement):
        subject = " ".join(str(part) for part in row[:keys])
        sums = [int(part) for part in row[keys:]]
        for name, left, right in zip(values, sums[::2], sums[1::2], strict=True):
            if left != right:
                yield Difference(check, f"{subject} {name}", str(left), str(right))


def _differing(expected: AnySelect, found: AnySelect, keys: int) -> AnySelect:
    both = union_all(
        expected.add_columns(literal(0).label("side")), found.add_columns(literal(1).label("side"))
    ).subquery()
    columns = list(both.c)[:-1]
    sums: list[ColumnElement[Any]] = []
    for column in columns[keys:]:
        sums += [func.sum(case((both.c.side == side, column), else_=0)) for side in (0, 1)]
    return (
        select(*columns[:keys], *sums)
        .group_by(*columns[:keys])
        .having(or_(*(sums[i] != sums[i + 1] for i in range(0, len(sums), 2))))
    )
