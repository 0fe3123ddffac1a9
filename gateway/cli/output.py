"""Tables for people, JSON for programs; standard output carries nothing else."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import money

F = TypeVar("F", bound=Callable[..., Any])

# Where there is no screen, lines are not folded to the width of one.
PIPED_COLUMNS = 400


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPED_COLUMNS)
    console.print(table)


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, list | tuple):
        return ", ".join(str(item) for item in cell)
    return "-" if cell is None else str(cell)


def say(text: str, *, as_json: bool = False) -> None:
    """A sentence for people; a program reads the exit code or the JSON."""
    if not as_json:
        click.echo(text)


def usd(nanos: int | None) -> str:
    return "unlimited" if nanos is None else money.format_usd(nanos)


def moment(value: Any) -> str | None:  # noqa: ANN401 - a datetime or nothing
    return None if value is None else value.strftime("%Y-%m-%d %H:%M")
