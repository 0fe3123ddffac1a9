"""What the first start configures, from the environment alone."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import pytest
from msgspec import UNSET

from gateway.configuration import starting, vendors
from gateway.configuration.problems import ConfigurationError
from gateway.pricing import known
from models import ModelType

TODAY = dt.date(2026, 1, 1)


def planned(environment: Mapping[str, str], simulator_url: str | None = None) -> starting.Plan:
    return starting.plan(environment, simulator_url, TODAY)


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({}, True),
        ({"OPENAI_API_KEY": ""}, True),
        ({"OPENAI_API_KEY": "k"}, False),
        ({"ANTHROPIC_API_KEY": "k"}, False),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, False),
    ],
)
def test_the_simulator_runs_when_the_environment_names_no_upstream(
    environment: dict[str, str],
    needed: bool,  # noqa: FBT001
) -> None:
    assert starting.needs_simulator(environment) is needed


def test_the_demo_is_at_the_address_of_the_simulator() -> None:
    plan = planned({}, "http://127.0.0.1:7000/")

    assert plan.model == "demo-chat"
    assert plan.document.providers[0].backends[0].base_url == "http://127.0.0.1:7000/v1"
    assert [model.type for model in plan.document.models] == [
        ModelType.CHAT,
        ModelType.EMBEDDING,
        ModelType.MODERATION,
    ]


def test_every_vendor_with_a_key_is_configured_and_the_first_is_shown() -> None:
    plan = planned({"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})

    assert [provider.code for provider in plan.document.providers] == ["openai", "anthropic"]
    assert plan.model == "gpt-4.1-mini"
    assert {"text-embedding-3-small", "claude-haiku-4-5"} <= {
        model.slug for model in plan.document.models
    }


def test_a_base_url_replaces_the_vendors_own() -> None:
    plan = planned({"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})

    backend = plan.document.providers[0].backends[0]
    assert (backend.base_url, backend.capabilities) == ("http://127.0.0.1:9/v1", UNSET)


def test_a_first_start_knows_a_vendor_as_its_row_does() -> None:
    rows = {vendor.code: vendor for vendor in vendors.list_vendors()}
    for start in starting.list_starts():
        (provider,) = start.document.providers
        row = rows[provider.code]
        assert (provider.name, provider.adapter) == (row.name, row.adapter)
        assert provider.auth_style == row.auth_style
        assert (provider.backends[0].capabilities or {}) == row.capabilities


def test_a_server_without_a_key_offers_the_model_that_is_named_for_nothing() -> None:
    plan = planned({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "SLUICE_MODEL": "llama3.2"})

    (provider,) = plan.document.providers
    (model,) = plan.document.models
    assert (provider.auth_style, provider.keys) == ("none", [])
    assert plan.model == model.slug == "llama3.2"
    assert model.prices == {"input": Decimal(0), "output": Decimal(0)}


def test_a_server_without_a_key_and_a_model_is_refused_with_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="SLUICE_MODEL"):
        planned({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})


def test_every_model_of_a_first_start_has_a_price() -> None:
    models = [model for start in starting.list_starts() for model in start.document.models]

    assert len(models) > 5
    for model in models:
        found = known.find_prices([model.slug], "", TODAY)
        assert found is not None, model.slug
        assert found.usd_per_million["input"] > 0
