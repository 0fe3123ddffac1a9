"""What a first start configures, decided from the environment alone."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from gateway.configuration import document
from gateway.configuration.document import Document
from gateway.configuration.problems import ConfigurationError
from gateway.pricing import known
from gateway.providers import KEYLESS

MODEL_VARIABLE = "SLUICE_MODEL"
FREE: document.Prices = {"input": Decimal(0), "output": Decimal(0)}


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor that is configured when its variables are set."""

    key_variable: str
    url_variable: str | None
    model: str
    document: Document


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be there, and the model that a newcomer calls first."""

    document: Document
    model: str


@cache
def list_starts() -> tuple[Start, ...]:
    data = Path(__file__).with_name("starts.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Start, ...])


@cache
def get_demo() -> Document:
    return msgspec.json.decode(Path(__file__).with_name("demo.json").read_bytes(), type=Document)


def needs_simulator(environment: Mapping[str, str]) -> bool:
    """Whether nothing in the environment names a real upstream."""
    return not any(_applies(start, environment) for start in list_starts())


def _applies(start: Start, environment: Mapping[str, str]) -> bool:
    url = environment.get(start.url_variable) if start.url_variable else None
    return bool(environment.get(start.key_variable) or url)


def plan(environment: Mapping[str, str], simulator_url: str | None, today: dt.date) -> Plan:
    """The vendors that the environment names, and the demo where there is a simulator."""
    plans = [
        _plan_vendor(start, environment, today)
        for start in list_starts()
        if _applies(start, environment)
    ]
    if simulator_url is not None:
        plans.append(_plan_demo(simulator_url))
    if not plans:
        msg = "the environment names no upstream, and no simulator runs"
        raise ConfigurationError(msg)
    providers = [provider for item in plans for provider in item.document.providers]
    models = [model for item in plans for model in item.document.models]
    return Plan(Document(providers=providers, models=models), plans[0].model)


def _plan_demo(simulator_url: str) -> Plan:
    demo = get_demo()
    provider = _at(demo.providers[0], f"{simulator_url.rstrip('/')}/v1")
    return Plan(replace(demo, providers=[provider]), demo.models[0].slug)


def _plan_vendor(start: Start, environment: Mapping[str, str], today: dt.date) -> Plan:
    url = environment.get(start.url_variable) if start.url_variable else None
    provider = start.document.providers[0]
    models = start.document.models
    if url:
        provider = _at(provider, url)
    if not environment.get(start.key_variable):
        provider = replace(provider, auth_style=KEYLESS, keys=[])
        models = []
    name = environment.get(MODEL_VARIABLE)
    if name and url:
        models = [_own_model(name, provider.backends[0].slug, today)]
    if not models:
        msg = (
            f"{start.url_variable} is set without {start.key_variable}: "
            f"name a model of that server in {MODEL_VARIABLE}"
        )
        raise ConfigurationError(msg)
    slugs = [model.slug for model in models]
    first = next((slug for slug in (name, start.model) if slug in slugs), slugs[0])
    return Plan(Document(providers=[provider], models=models), first or slugs[0])


def _at(provider: document.Provider, url: str) -> document.Provider:
    """Another server there may lack what the vendor's own can do."""
    backend = replace(provider.backends[0], base_url=url, capabilities=UNSET)
    return replace(provider, backends=[backend])


def _own_model(name: str, backend: str, today: dt.date) -> document.Model:
    """A model of the operator's own server costs what is known, else nothing."""
    found = known.find_prices([name], "", today)
    return document.Model(slug=name, backends=[backend], prices="known" if found else FREE)
