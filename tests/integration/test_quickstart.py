"""The first start and those after it, on real databases of both engines."""

from collections.abc import Generator
from decimal import Decimal

import pytest
from sqlalchemy import select

from gateway.configuration import accounts, api_keys, catalog, quickstart
from gateway.db import Database
from gateway.settings import DatabaseSettings
from models import Backend, Provider
from tests.integration.configured import SEALER


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    yield database
    database.close()


def test_a_first_start_makes_what_a_newcomer_needs_and_a_second_one_finds_it(
    database: Database,
) -> None:
    first = quickstart.ensure(database, SEALER, {}, "http://127.0.0.1:7001")
    with database.transaction() as session:
        catalog.set_prices(session, "demo-chat", {"input": Decimal(1), "output": Decimal(1)})
    second = quickstart.ensure(database, SEALER, {}, "http://127.0.0.1:7002", first.admin_password)
    third = quickstart.ensure(database, SEALER, {}, "http://127.0.0.1:7002", "not the password")

    assert first.model == "demo-chat"
    assert first.admin_email == "admin@sluice.local"
    assert second == first
    assert third.admin_password is None
    with database.snapshot() as session:
        base_url = session.scalars(select(Backend.base_url)).one()
        view = api_keys.get_view(session, "quickstart")
        offered = {model.slug: model.aliases for model in catalog.list_models(session)}
        prices = catalog.list_models(session)[0].usd_per_million
        assert accounts.get_user(session, view.user).limit_nanos == 5_000_000_000
    assert base_url == "http://127.0.0.1:7002/v1"
    assert offered["demo-moderation"] == ["omni-moderation-latest"]
    assert prices == {"input": Decimal(1), "output": Decimal(1)}


def test_a_start_with_a_vendor_key_takes_the_demo_off_the_list(database: Database) -> None:
    quickstart.ensure(database, SEALER, {}, "http://127.0.0.1:7001")

    made = quickstart.ensure(database, SEALER, {"OPENAI_API_KEY": "sk-of-a-vendor"}, None)

    with database.snapshot() as session:
        enabled = {model.slug for model in catalog.list_models(session) if model.enabled}
        unpriced = [m.slug for m in catalog.list_models(session) if not m.usd_per_million]
    assert made.model in enabled
    assert "text-embedding-3-small" in enabled
    assert not any(slug.startswith("demo") for slug in enabled)
    assert unpriced == []


def test_the_administrator_of_the_environment_is_made_with_that_password(
    database: Database,
) -> None:
    environment = {"SLUICE_ADMIN_EMAIL": "root@x.test", "SLUICE_ADMIN_PASSWORD": "s3cret-enough"}

    made = quickstart.ensure(database, SEALER, environment, "http://127.0.0.1:7001")
    again = quickstart.ensure(database, SEALER, environment, "http://127.0.0.1:7001")

    assert (made.admin_email, made.admin_password) == ("root@x.test", "s3cret-enough")
    assert again == made


def test_a_vendor_of_an_older_start_gets_the_adapter_of_today(database: Database) -> None:
    environment = {"ANTHROPIC_API_KEY": "sk-of-a-vendor"}
    quickstart.ensure(database, SEALER, environment, None)
    with database.transaction() as session:
        old = session.scalars(select(Provider)).one()
        old.adapter, old.auth_style = "openai", "bearer"

    quickstart.ensure(database, SEALER, environment, None)

    with database.snapshot() as session:
        provider = session.scalars(select(Provider)).one()
        assert (provider.adapter, provider.auth_style) == ("anthropic", "x-api-key")
