"""``sluice models``: what is sold, and at which price."""

import click

from gateway.cli import output
from gateway.cli.arguments import parse_prices
from gateway.cli.installation import opened
from gateway.configuration import catalog


@click.group()
def models() -> None:
    """Models; SLUG is the name that clients ask for."""


@models.command("list")
@output.json_option
def list_(*, as_json: bool) -> None:
    """List all models; prices are US dollars per million units."""
    with opened() as here, here.database.snapshot() as session:
        views = catalog.list_models(session)
    if as_json:
        output.print_json(views)
        return
    output.print_table(
        ("model", "type", "enabled", "aliases", "backends", "USD per million"),
        [
            (
                view.slug,
                view.type,
                view.enabled,
                view.aliases,
                view.backends,
                _prices(view) or "none: cannot be sold",
            )
            for view in views
        ],
    )


def _prices(view: catalog.ModelView) -> str:
    return "  ".join(f"{name} {amount}" for name, amount in view.usd_per_million.items())


@models.command()
@click.argument("slug")
@click.argument("prices", nargs=-1, metavar="[DIMENSION=USD]...")
@click.option("--known", is_flag=True, help="Take the vendor's list price, if it is known.")
@output.json_option
def price(slug: str, prices: tuple[str, ...], *, known: bool, as_json: bool) -> None:
    """Set the prices of SLUG in US dollars per million units, from the next call on.

    For example: sluice models price my-model input=2.50 cached_input=1.25 output=10
    """
    if known == bool(prices):
        msg = "name prices such as input=2.50 output=10, or give --known"
        raise click.UsageError(msg)
    wanted = parse_prices(prices)
    with opened() as here, here.database.transaction() as session:
        if known:
            changed = catalog.set_known_prices(session, slug)
        else:
            changed = catalog.set_prices(session, slug, wanted)
        session.flush()
        view = catalog.get_view(session, slug)
    if as_json:
        output.print_json(view)
    verb = "now costs" if changed else "costs already"
    output.say(f"{slug} {verb} {_prices(view)} (version {view.price_version}).", as_json=as_json)


@models.command()
@click.argument("slug")
@output.json_option
def enable(slug: str, *, as_json: bool) -> None:
    """Offer a model."""
    _switch(slug, enabled=True, as_json=as_json)


@models.command()
@click.argument("slug")
@output.json_option
def disable(slug: str, *, as_json: bool) -> None:
    """Offer a model no more."""
    _switch(slug, enabled=False, as_json=as_json)


def _switch(slug: str, *, enabled: bool, as_json: bool) -> None:
    with opened() as here, here.database.transaction() as session:
        changed = catalog.set_enabled(session, slug, enabled=enabled)
        session.flush()
        view = catalog.get_view(session, slug)
    if as_json:
        output.print_json(view)
    state = "enabled" if enabled else "disabled"
    output.say(f"{slug} is {'now' if changed else 'already'} {state}.", as_json=as_json)


COMMANDS = {"models": models}
