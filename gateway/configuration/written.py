"""How columns are written in a file."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

from gateway import money
from models import Base

R = TypeVar("R", bound=Base)


def fields(row: Base, *names: str) -> dict[str, Any]:
    """The columns that a file calls by the same name."""
    return {name: getattr(row, name) for name in names}


def usd(nanos: int | None) -> Decimal | None:
    """Exact, and as short as it can be written."""
    return None if nanos is None else Decimal(money.format_usd(nanos))


def by_owner(rows: Iterable[R], owner: str) -> dict[str, list[R]]:
    """The rows in their order, by the column that holds their owner's id."""
    found: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        found[getattr(row, owner)].append(row)
    return found


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Sorted values by key."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key, value in sorted(pairs):
        found[key].append(value)
    return found
