"""``sluice keys``: the secrets that clients present."""

import dataclasses
from decimal import Decimal

import click
import msgspec

from gateway.cli import output
from gateway.cli.arguments import Usd
from gateway.cli.installation import opened
from gateway.configuration import api_keys, document
from gateway.configuration.api_keys import KeyView


@click.group()
def keys() -> None:
    """API keys; KEY is an id, a name, or the beginning that lists show."""


@keys.command("list")
@click.option("--user", help="Only the keys of this user.")
@output.json_option
def list_(user: str | None, *, as_json: bool) -> None:
    """List API keys, the newest first."""
    with opened() as here, here.database.snapshot() as session:
        views = api_keys.list_keys(session, user)
    if as_json:
        output.print_json(views)
        return
    output.print_table(
        ("key", "name", "user", "app", "status", "used", "limit", "created", "id"),
        [
            (
                view.key,
                view.name,
                view.user,
                view.app,
                view.status,
                output.usd(view.used_nanos),
                output.usd(view.limit_nanos),
                output.moment(view.created_at),
                view.id,
            )
            for view in views
        ],
    )


@keys.command()
@click.argument("name")
@click.option("--user", required=True, help="E-mail, account or number of the owner.")
@click.option("--app", help="An app of that user.")
@click.option("--limit", type=Usd(), help="US dollars that the key may spend.")
@click.option("--model", "models", multiple=True, help="A model it may use; repeat for more.")
@click.option("--valid-until", help="A time such as 2030-01-01T00:00:00Z.")
@output.json_option
def create(
    name: str,
    user: str,
    limit: Decimal | None,
    models: tuple[str, ...],
    *,
    as_json: bool,
    **others: str | None,
) -> None:
    """Make a key called NAME and show it, this once."""
    raw = {"name": name, "limit_usd": limit, "models": list(models) or None, **others}
    part = msgspec.convert(
        {field: value for field, value in raw.items() if value is not None}, document.ApiKey
    )
    with opened() as here, here.database.transaction() as session:
        created = api_keys.create_key(session, here.sealer, user, part)
    if as_json:
        output.print_json(created)
        return
    output.say(created.key)
    click.echo("Keep it safe; lists show only its beginning.", err=True)


@keys.command()
@click.argument("key")
@output.json_option
def revoke(key: str, *, as_json: bool) -> None:
    """Stop a key from working, from its next call on."""
    _switch(key, enabled=False, as_json=as_json)


@keys.command()
@click.argument("key")
@output.json_option
def enable(key: str, *, as_json: bool) -> None:
    """Let a revoked key work again."""
    _switch(key, enabled=True, as_json=as_json)


def _switch(key: str, *, enabled: bool, as_json: bool) -> None:
    with opened() as here, here.database.transaction() as session:
        changed = api_keys.set_key_enabled(session, key, enabled=enabled)
        view = api_keys.get_view(session, key)
    if as_json:
        output.print_json(view)
    when = "now" if changed else "already"
    state = f"works {when}" if enabled else f"is {when} revoked"
    output.say(f"Key {view.name!r} {state}.", as_json=as_json)


@keys.command()
@click.argument("key")
@click.option("--reveal", is_flag=True, help="Show the whole key.")
@output.json_option
def show(key: str, *, reveal: bool, as_json: bool) -> None:
    """Show one key."""
    with opened() as here, here.database.snapshot() as session:
        view = api_keys.get_view(session, key)
        if reveal:
            plain = api_keys.reveal(session, here.sealer, key)
            view = dataclasses.replace(view, key=plain)
    if as_json:
        limit_usd = None if view.limit_nanos is None else output.usd(view.limit_nanos)
        amounts = {"limit_usd": limit_usd, "used_usd": output.usd(view.used_nanos)}
        output.print_json(msgspec.to_builtins(view) | amounts)
        return
    output.print_table(("", ""), _lines(view))


def _lines(view: KeyView) -> list[tuple[str, object]]:
    return [
        ("key", view.key),
        ("name", view.name),
        ("user", view.user),
        ("app", view.app),
        ("status", view.status),
        ("models", "all that app and policy allow" if view.models is None else view.models),
        ("used", f"{output.usd(view.used_nanos)} USD"),
        ("limit", output.usd(view.limit_nanos) + (" USD" if view.limit_nanos is not None else "")),
        ("valid until", output.moment(view.valid_until)),
        ("last used", output.moment(view.last_used_at)),
        ("created", output.moment(view.created_at)),
        ("id", view.id),
    ]


COMMANDS = {"keys": keys}
