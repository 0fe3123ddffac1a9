"""``sluice route``: where a call would go and why; nothing is held and nothing is sent."""

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from redis.exceptions import RedisError

from gateway.admission import Admission, Gate, get_allowance_base
from gateway.admission.allowances import UNLIMITED
from gateway.cache import connect_async, keys
from gateway.catalog import Catalog, Offer
from gateway.catalog.queries import load_catalog
from gateway.cli import output, route_text
from gateway.cli.arguments import Prompt
from gateway.cli.installation import Installation, opened
from gateway.cli.route_request import CHAT, Question, call_of
from gateway.cli.route_text import Route
from gateway.configuration import api_keys
from gateway.configuration.problems import ConfigurationError
from gateway.db import ReadSession
from gateway.errors import UnavailableError
from gateway.identity import Caller
from gateway.identity.queries import find_caller
from gateway.providers import PROVIDERS, Provider
from gateway.relay import explain as explaining
from gateway.relay.explain import Explanation, Known
from gateway.relay.left_out import (
    LeftOut,
    find_price_version,
    is_disabled,
    list_elsewhere,
    list_left_out,
    names_of_keys,
)
from gateway.routing import Router
from gateway.settings import Settings

REDIS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Bearings:
    """What deciding needs, in a process that serves nobody."""

    settings: Settings
    router: Router
    providers: Mapping[str, Provider]


@click.command()
@click.argument("model")
@click.option("--key", required=True, help="The API key: its name, its id, or the key itself.")
@click.option(
    "--prompt",
    type=Prompt(),
    default="Hello",
    help="Text, or @FILE with the JSON body of a request.",
)
@click.option("--region", help="The region that the client asks for.")
@click.option("--stream", is_flag=True, help="As a stream.")
@click.option("--dialect", type=click.Choice(list(CHAT)), default=next(iter(CHAT)))
@click.option("--max-tokens", type=click.IntRange(min=1), help="The client's bound.")
@output.json_option
def route(key: str, *, as_json: bool, **asked: Any) -> None:  # noqa: ANN401
    """Say which backend and key a call of MODEL would take, why, and what it may cost.

    Decides as the API does, with what is configured and known of health now; holds nothing,
    sends nothing.
    """
    question = Question(**asked)
    with opened() as here:
        found = _explained(here, key, question)
    if as_json:
        output.print_json(found)
        return
    route_text.show(found)


def _explained(here: Installation, key: str, question: Question) -> Route:
    with here.database.snapshot() as session:
        view = api_keys.get_view(session, key)
        caller = find_caller(session, api_keys.get_key(session, key).key_hash)
        catalog = load_catalog(session, here.sealer.open)
        if caller is None:
            msg = f"there is no API key {key!r}"
            raise ConfigurationError(msg)
        available = _levels(caller, get_allowance_base(session, caller.user_id).available)
    told = asyncio.run(_told(here, question, caller, catalog, available))
    paid = catalog.offers.get(told.model or "")
    served = catalog.offers.get(told.steps[-1].target) if told.steps else paid
    with here.database.snapshot() as session:
        names = names_of_keys(session, (option.provider_key_id for option in told.options))
        options = tuple(
            dataclasses.replace(option, provider_key=names.get(option.provider_key_id))
            for option in told.options
        )
        return Route(
            key=view.name,
            user=view.user,
            told=dataclasses.replace(told, options=options),
            price_version=find_price_version(session, paid.price_version_id) if paid else None,
            left_out=_left_out(session, told, served),
            addresses_are_limited=bool(caller.address_lists),
            when_redis_is_down=here.settings.admission.when_redis_is_down,
            is_disabled=paid is None and is_disabled(session, question.model),
        )


def _left_out(session: ReadSession, told: Explanation, served: Offer | None) -> list[LeftOut]:
    if served is None:
        return []
    is_strict = told.is_region_strict and told.region
    elsewhere = list_elsewhere(served, told.region) if is_strict else []
    return [*elsewhere, *list_left_out(session, served)]


def _levels(caller: Caller, available: Mapping[str, str]) -> dict[str, str]:
    """The allowances that this key draws on, as the database knows them."""
    fields = ["u", f"k:{caller.api_key_id}", *([f"a:{caller.app_id}"] if caller.app_id else [])]
    return {field: available[field] for field in fields if field in available}


async def _told(
    here: Installation,
    question: Question,
    caller: Caller,
    catalog: Catalog,
    available: dict[str, str],
) -> Explanation:
    # From where a client will come is not known here; only that it matters is told.
    caller = dataclasses.replace(caller, address_lists=())
    bearings = Bearings(here.settings, Router(here.settings.region), PROVIDERS)
    call = call_of(question, catalog.find(question.model))
    redis = connect_async(here.settings.resolved_redis_url, REDIS_SECONDS)
    gate = Gate(redis, REDIS_SECONDS, _epoch_of)
    try:
        is_there = await _is_there(gate)
        if is_there:
            available |= await _newest(gate, caller, available)
        look = Admission(gate, here.database).look if is_there else None
        known = Known(look, _named(available))
        return await explaining.explain(bearings, call, caller, catalog, known)
    finally:
        await gate.close()


async def _is_there(gate: Gate) -> bool:
    """Asked before the gate is opened, which says in the log that Redis is away."""
    try:
        is_filled = bool(await gate.redis.exists(keys.EPOCH))
    except (RedisError, OSError):
        return False
    if is_filled:
        await gate.open()
    return gate.is_open


async def _epoch_of(gate: Gate) -> bytes:
    """As it is: an emptied Redis is for the gateway's processes to fill."""
    epoch = await gate.redis.get(keys.EPOCH)
    if not isinstance(epoch, bytes):
        raise UnavailableError
    return epoch


async def _newest(gate: Gate, caller: Caller, fields: Mapping[str, str]) -> dict[str, str]:
    """What Redis knows better: it has counted open calls too."""
    values = await gate.redis.hmget(keys.allowance(caller.user_id), list(fields))
    pairs = zip(fields, values, strict=True)
    return {field: value.decode() for field, value in pairs if isinstance(value, bytes)}


def _named(available: Mapping[str, str]) -> dict[str, int | None]:
    levels = {"u": "user", "a": "app", "k": "key"}
    return {
        levels[field[0]]: None if value == UNLIMITED else int(value)
        for field, value in available.items()
    }


COMMANDS = {"route": route}
