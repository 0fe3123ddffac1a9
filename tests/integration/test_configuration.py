"""Import and export against real databases of both engines."""

from collections.abc import Generator
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from gateway.configuration import accounts, api_keys, catalog, files
from gateway.configuration.apply import apply
from gateway.configuration.changes import Outcome
from gateway.configuration.export import export
from gateway.configuration.problems import ConfigurationError
from gateway.crypto import hash_key
from gateway.db import Database
from gateway.settings import DatabaseSettings
from models import (
    AIModel,
    AllowanceEffect,
    ApiKey,
    Backend,
    BackendModel,
    CapabilityTag,
    Change,
    PriceRow,
    PriceVersion,
    ProviderKey,
    User,
)
from tests.integration.configured import SEALER, imported, outcomes


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    yield database
    database.close()


def test_an_import_creates_everything_and_the_second_one_changes_nothing(
    database: Database,
) -> None:
    first = imported(database)
    with database.snapshot() as session:
        changes = session.scalar(select(func.count(Change.seq)))
    second = imported(database)

    assert set(outcomes(first).values()) == {"created"}
    assert {entry.name for entry in first.entries} >= {
        *("vision", "tools", "strict", "vendor", "vendor-eu", "vendor/main", "chat-large"),
        *("ada@example.test", "ada@example.test/search", "ada@example.test/server", "grace"),
    }
    assert second.count(Outcome.UNCHANGED) == len(second.entries)
    assert second.keys == ()
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Change.seq))) == changes


def test_what_was_imported_is_what_the_file_says(database: Database) -> None:
    imported(database)

    with database.snapshot() as session:
        links = session.execute(
            select(Backend.slug, BackendModel.upstream_model, BackendModel.weight)
            .join(Backend, Backend.id == BackendModel.backend_id)
            .join(AIModel, AIModel.id == BackendModel.model_id)
            .where(AIModel.slug == "chat-large")
            .order_by(Backend.slug)
        ).all()
        ada, grace = session.scalars(select(User).order_by(User.number))
        key = session.scalars(select(ProviderKey).where(ProviderKey.name == "main")).one()
        prices = {model.slug: model.usd_per_million for model in catalog.list_models(session)}
        parameters = catalog.get_model(session, "chat-large").parameters
        limits = [(user.number, user.limit_nanos) for user in (ada, grace)]
        sealed = (SEALER.open(key.secret_sealed), key.secret_hash)
    assert [tuple(link) for link in links] == [("vendor-eu", "", 1), ("vendor-us", "big", 2)]
    assert limits == [(10_000, 12_345_678_901), (10_001, None)]
    assert sealed == ("vendor-secret", hash_key("vendor-secret"))
    assert prices["chat-large"] == {
        "input": Decimal("2.50"),
        "cached_input": Decimal("1.25"),
        "output": Decimal(10),
    }
    assert prices["gpt-4o-mini"]["output"] == Decimal("0.6")
    assert parameters == {"temperature": 0.7}


@pytest.mark.parametrize("with_secrets", [False, True])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_importing_an_export_changes_nothing(
    database: Database, form: files.Format, *, with_secrets: bool
) -> None:
    imported(database)
    with database.snapshot() as session:
        text = files.encode(export(session, SEALER, with_secrets=with_secrets), form)

    with database.transaction() as session:
        report = apply(session, SEALER, files.decode(text.encode(), form), {})

    assert {str(entry.outcome) for entry in report.entries} == {"unchanged"}
    assert ("vendor-secret" in text, "sk-a-literal" in text) == (with_secrets, with_secrets)


def test_an_export_with_secrets_restores_keys_and_links_that_were_lost(
    database: Database,
) -> None:
    imported(database)
    with database.snapshot() as session:
        exported = export(session, SEALER, with_secrets=True)
    with database.transaction() as session:
        for table in (BackendModel, ApiKey):
            for row in session.scalars(select(table)):
                session.delete(row)

    with database.transaction() as session:
        report = apply(session, SEALER, exported, {})

    assert report.keys == ()
    with database.snapshot() as session:
        assert export(session, SEALER, with_secrets=True) == exported


def test_a_generated_key_is_told_once(database: Database) -> None:
    (created,) = imported(database).keys

    assert (created.user, created.name) == ("ada@example.test", "laptop")
    assert created.key.startswith("sk-")
    with database.snapshot() as session:
        assert api_keys.reveal(session, SEALER, "laptop") == created.key
        assert (
            session.scalars(
                select(ApiKey.name).where(ApiKey.key_hash == hash_key(created.key))
            ).one()
            == "laptop"
        )


def test_a_changed_price_is_a_new_version_and_the_old_one_stays(database: Database) -> None:
    imported(database)

    report = imported(database, b"models: [{slug: chat-large, prices: {input: 3, output: 10}}]")

    assert outcomes(report) == {"model chat-large": "updated"}
    with database.snapshot() as session:
        rows = session.execute(
            select(PriceVersion.version, PriceRow.dimension, PriceRow.nanos_per_million)
            .join(PriceRow, PriceRow.price_version_id == PriceVersion.id)
            .join(AIModel, AIModel.id == PriceVersion.model_id)
            .where(AIModel.slug == "chat-large")
        ).all()
    assert {tuple(row) for row in rows} == {
        (1, "input", 2_500_000_000),
        (1, "cached_input", 1_250_000_000),
        (1, "output", 10_000_000_000),
        (2, "input", 3_000_000_000),
        (2, "output", 10_000_000_000),
    }


def test_absent_fields_are_kept_and_present_ones_are_set(database: Database) -> None:
    imported(database)

    report = imported(
        database,
        b"""
providers:
  - code: vendor
    backends: [{slug: vendor-eu, weight: 0}]
    keys: [{name: main, backends: []}]
users: [{email: ada@example.test, limit_usd: null}]
""",
    )

    assert outcomes(report) == {
        "provider vendor": "unchanged",
        "backend vendor-eu": "updated",
        "provider key vendor/main": "updated",
        "user ada@example.test": "updated",
    }
    with database.snapshot() as session:
        backend = session.scalars(select(Backend).where(Backend.slug == "vendor-eu")).one()
        user = accounts.get_user(session, "ada@example.test")
        assert (backend.weight, backend.region) == (0, "eu")
        assert (user.limit_nanos, user.name, user.role) == (None, "Ada", "manager")


def test_changes_reach_other_processes_by_kind(database: Database) -> None:
    imported(database)
    with database.snapshot() as session:
        before = session.scalar(select(func.max(Change.seq))) or 0
        ada = accounts.get_user(session, "ada@example.test").id
        effects = session.scalar(select(func.count(AllowanceEffect.seq))) or 0

    imported(
        database,
        b"""
policies: [{name: strict, rate_limit: 61}]
models: [{slug: chat-large, enabled: false}]
users: [{email: ada@example.test, keys: [{name: server, limit_usd: 1}]}]
""",
    )

    with database.snapshot() as session:
        changes = session.execute(
            select(Change.kind, Change.object_id).where(Change.seq > before)
        ).all()
        assert session.scalar(select(func.count(AllowanceEffect.seq))) == effects + 1
    assert {kind for kind, _ in changes} == {"policy", "catalog", "user"}
    assert ("user", ada) in {tuple(change) for change in changes}
    assert len(changes) == 3


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"models: [{slug: a, backends: [nowhere]}]", "models[0].backends[0]"),
        (b"providers: [{code: a}]", "providers[0]: a new provider needs an adapter"),
        (b"providers: [{code: a, adapter: fax}]", "providers[0].adapter"),
        (
            b"providers: [{code: a, adapter: openai, backends: [{slug: b}]}]",
            "providers[0].backends[0]: a new backend needs a base_url",
        ),
        (
            b"providers: [{code: a, adapter: openai, keys: [{secret: {env: NOT_SET}}]}]",
            "providers[0].keys[0].secret: the environment variable NOT_SET is not set",
        ),
        (b"models: [{slug: no-such-thing, prices: known}]", "models[0].prices"),
        (b"models: [{slug: a, aliases: [b]}, {slug: b}]", "'b' belongs to more than one"),
        (b"users: [{email: a@b.test, policy: nope}]", "users[0].policy"),
        (
            b"providers: [{code: a, vendor: azure-openai}]",
            "providers[0]: 'azure-openai' has no address",
        ),
        (
            b"models: [{slug: a}, {slug: b, forward: {rule: all, model: c}}]",
            "models[1].forward.model: there is no model 'c'",
        ),
        (
            b"""
models:
  - slug: a
    forward: {rule: keyword, keywords: [{pattern: x, model: a}, {pattern: y, model: c}]}
""",
            "models[0].forward.keywords[1].model: there is no model 'c'",
        ),
        (
            b"models: [{slug: a, fallback: {models: [a, c]}}]",
            "models[0].fallback.models[1]: there is no model 'c'",
        ),
        (
            b"models: [{slug: a, fallback: {larger_context: c}}]",
            "models[0].fallback.larger_context: there is no model 'c'",
        ),
        (
            b"models: [{slug: a, fallback: {backend: c}}]",
            "models[0].fallback.backend: there is no backend 'c'",
        ),
        (b"policies: [{name: p, timezone: Mars/Base}]", "policies[0].timezone"),
        (b"policies: [{name: p, models: [x], default_model: y}]", "policies[0].default_model"),
    ],
)
def test_a_wrong_file_has_no_effect_and_says_where_it_is_wrong(
    database: Database, data: bytes, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        imported(database, b"capability_tags: [{code: first}]\n" + data)

    assert problem in str(raised.value)
    with database.snapshot() as session:
        assert session.scalars(select(CapabilityTag.code)).all() == []
