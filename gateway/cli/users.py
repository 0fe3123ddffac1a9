"""``sluice users``: who calls and who pays."""

from collections.abc import Callable
from decimal import Decimal

import click
import msgspec

from gateway import money
from gateway.cli import output
from gateway.cli.arguments import Usd, limit_of
from gateway.cli.installation import opened
from gateway.configuration import accounts, document
from gateway.configuration.accounts import UserView
from gateway.db import Session
from models import Role, UserStatus


@click.group()
def users() -> None:
    """Users; USER is an e-mail, an account or a number."""


@users.command("list")
@output.json_option
def list_(*, as_json: bool) -> None:
    """List all users."""
    with opened() as here, here.database.snapshot() as session:
        views = accounts.list_users(session)
    _print(views, as_json=as_json)


def _print(views: list[UserView], *, as_json: bool) -> None:
    if as_json:
        output.print_json(views)
        return
    output.print_table(
        ("number", "user", "name", "role", "status", "policy", "used", "limit"),
        [
            (
                view.number,
                view.email or view.account,
                view.name,
                view.role,
                view.status,
                view.policy,
                output.usd(view.used_nanos),
                output.usd(view.limit_nanos),
            )
            for view in views
        ],
    )


@users.command()
@click.argument("email")
@click.option("--name", help="What people call the user.")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Default: user.")
@click.option("--policy", help="Default: default.")
@click.option("--limit", type=Usd(), help="US dollars that the user may spend.")
@click.option("--password", is_flag=True, help="Ask for a password to sign in with.")
@output.json_option
def create(
    email: str, limit: Decimal | None, *, password: bool, as_json: bool, **others: str | None
) -> None:
    """Make a user called EMAIL."""
    raw: dict[str, object] = {"email": email, "limit_usd": limit, **others}
    if password:
        raw["password"] = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )
    part = msgspec.convert(
        {field: value for field, value in raw.items() if value is not None}, document.User
    )
    with opened() as here, here.database.transaction() as session:
        view = accounts.create_user(session, here.sealer, part)
    _print_one(view, as_json=as_json)


def _print_one(view: UserView, *, as_json: bool) -> None:
    if as_json:
        output.print_json(view)
    else:
        _print([view], as_json=False)


def _change(user: str, change: Callable[[Session], object], *, as_json: bool) -> None:
    with opened() as here, here.database.transaction() as session:
        change(session)
        session.flush()
        view = accounts.get_view(session, user)
    _print_one(view, as_json=as_json)


@users.command()
@click.argument("user")
@output.json_option
def disable(user: str, *, as_json: bool) -> None:
    """Stop all keys of a user from working, from the next call on."""
    status = UserStatus.DISABLED
    _change(user, lambda s: accounts.set_user_status(s, user, status), as_json=as_json)


@users.command()
@click.argument("user")
@output.json_option
def enable(user: str, *, as_json: bool) -> None:
    """Let a disabled user call again."""
    status = UserStatus.ACTIVE
    _change(user, lambda s: accounts.set_user_status(s, user, status), as_json=as_json)


@users.command()
@click.argument("user")
@click.argument("amount", type=Usd(may_be_unlimited=True))
@output.json_option
def limit(user: str, amount: Decimal | str, *, as_json: bool) -> None:
    """Set what USER may spend to AMOUNT US dollars, or to `unlimited`."""
    bound = limit_of(amount)
    _change(user, lambda s: accounts.set_limit(s, user, bound), as_json=as_json)


@users.command()
@click.argument("user")
@click.argument("amount", type=Usd())
@output.json_option
def grant(user: str, amount: Decimal, *, as_json: bool) -> None:
    """Raise what USER may spend by AMOUNT US dollars; the ledger notes it."""
    _change(user, lambda s: accounts.grant(s, user, amount), as_json=as_json)


@users.command()
@click.argument("user")
@output.json_option
def reset(user: str, *, as_json: bool) -> None:
    """Count what USER has spent from zero again; the ledger notes it."""
    with opened() as here, here.database.transaction() as session:
        used = accounts.reset_used(session, user)
        view = accounts.get_view(session, user)
    if as_json:
        output.print_json(view)
    output.say(f"{money.format_usd(used)} USD were taken back.", as_json=as_json)


COMMANDS = {"users": users}
