"""``sluice ledger``: checking, rebuilding and reading the movements of money."""

import datetime as dt
import sys
from dataclasses import dataclass, fields
from typing import Any

import click
from redis import Redis
from redis.exceptions import RedisError

from gateway import cache
from gateway import ledger as book
from gateway.cli import output
from gateway.cli.installation import opened
from gateway.configuration import accounts
from models import LedgerEntry


@dataclass(frozen=True, slots=True)
class EntryView:
    created_at: dt.datetime
    reference: str
    kind: str
    level: str
    amount_nanos: int
    overrun_nanos: int
    basis: str
    usage: list[list[Any]]
    note: str


@click.group()
def ledger() -> None:
    """The ledger is the truth about money; everything else is derived from it."""


@ledger.command()
@click.option(
    "--with-redis", is_flag=True, help="Compare Redis too; only while no calls are under way."
)
@output.json_option
def verify(*, with_redis: bool, as_json: bool) -> None:
    """Compute anew what is derived from the ledger; exit code 1 if anything differs."""
    with opened() as here:
        client = _connect(here.settings.resolved_redis_url) if with_redis else None
        differences = book.verify(here.database, client)
    if as_json:
        output.print_json(differences)
    elif differences:
        output.print_table(
            ("check", "subject", "expected", "found"),
            [(d.check, d.subject, d.expected, d.found) for d in differences],
        )
    else:
        output.say("Everything agrees with the ledger.")
    sys.exit(bool(differences))


def _connect(url: str) -> Redis:
    client = cache.connect(url)
    client.ping()
    return client


@ledger.command()
@output.json_option
def rebuild(*, as_json: bool) -> None:
    """Compute sums and rollups anew from the ledger; may run while the system works."""
    with opened() as here:
        try:
            client = _connect(here.settings.resolved_redis_url)
        except RedisError:
            # An empty Redis loads every allowance anew by itself.
            client = None
        rebuilt = book.rebuild(here.database, client)
    if as_json:
        output.print_json(rebuilt)
        return
    output.say(
        f"Computed anew: {rebuilt.users} users, {rebuilt.apps} apps, "
        f"{rebuilt.api_keys} keys, {rebuilt.rollups} rollups."
    )


@ledger.command()
@click.argument("user")
@click.option("--limit", default=50, show_default=True, help="How many entries.")
@output.json_option
def show(user: str, limit: int, *, as_json: bool) -> None:
    """Show the newest entries of USER."""
    with opened() as here, here.database.snapshot() as session:
        found = book.list_entries(session, accounts.get_user(session, user).id, limit=limit)
        entries = [_view(entry) for entry in found]
    if as_json:
        output.print_json(entries)
        return
    output.print_table(
        ("time", "kind", "USD", "reference", "usage", "note"),
        [
            (
                output.moment(entry.created_at),
                entry.kind,
                output.usd(entry.amount_nanos),
                entry.reference,
                "  ".join(f"{dimension} {quantity}" for dimension, _, quantity in entry.usage),
                entry.note,
            )
            for entry in entries
        ],
    )


def _view(entry: LedgerEntry) -> EntryView:
    return EntryView(**{field.name: getattr(entry, field.name) for field in fields(EntryView)})


COMMANDS = {"ledger": ledger}
