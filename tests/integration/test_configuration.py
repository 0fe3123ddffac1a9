"""Import, export and the first start against real databases of both engines."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from gateway import clock, ids, ledger
from gateway.configuration import accounts, api_keys, catalog, document, files, quickstart
from gateway.configuration.apply import apply
from gateway.configuration.changes import Outcome, Report
from gateway.configuration.export import export
from gateway.configuration.problems import ConfigurationError
from gateway.crypto import Sealer, hash_key
from gateway.db import Database, Session
from gateway.settings import DatabaseSettings
from models import (
    AIModel,
    AllowanceEffect,
    ApiKey,
    Backend,
    BackendModel,
    CapabilityTag,
    Change,
    EntryKind,
    EntryLevel,
    LedgerEntry,
    PriceRow,
    PriceVersion,
    ProviderKey,
    User,
    UserStatus,
)

FILE = b"""
capability_tags:
  - {code: vision, name: Sees}
policies:
  - name: default
  - name: strict
    models: [chat-large]
    rate_limit: 60
    rate_limit_window_seconds: 60
    cost_quota_daily_usd: 2.50
    available_time_ranges: [{start: "22:00", end: "06:00"}]
    timezone: Europe/Berlin
    per_model: {chat-large: {rate_limit: 10}}
providers:
  - code: vendor
    adapter: openai
    headers: {x-team: ours}
    cost_multiplier: 0.85
    backends:
      - {slug: vendor-eu, base_url: "https://eu.vendor.test/v1", region: eu, weight: 3}
      - {slug: vendor-us, base_url: "https://us.vendor.test/v1", limits: {first_byte_seconds: 90}}
    keys:
      - {name: main, secret: {env: VENDOR_KEY}, backends: [vendor-eu], cost_multiplier: "0.5"}
      - {name: spare, secret: literal-secret, weight: 2, models: [chat-large]}
models:
  - slug: chat-large
    aliases: [large]
    context_window: 128000
    parameters: {temperature: 0.7}
    tags: [vision, tools]
    backends: [vendor-eu, {backend: vendor-us, upstream_model: big, weight: 2}]
    prices: {input: 2.50, cached_input: "1.25", output: 10}
  - {slug: gpt-4o-mini, backends: [vendor-us], prices: known}
users:
  - email: ada@example.test
    name: Ada
    role: manager
    policy: strict
    limit_usd: 12.345678901
    password: correct horse
    apps:
      - {name: search, limit_usd: 3, models: [chat-large], ip_allow: [10.0.0.0/8]}
    keys:
      - {name: laptop}
      - name: server
        key: sk-a-literal-key-0123456789
        app: search
        valid_until: 2030-01-01T00:00:00Z
  - {account: grace, policy: default}
"""
ENVIRONMENT = {"VENDOR_KEY": "vendor-secret"}
SEALER = Sealer("a key for tests")


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    yield database
    database.close()


def imported(database: Database, data: bytes = FILE) -> Report:
    with database.transaction() as session:
        return apply(session, SEALER, files.decode(data, "yaml"), ENVIRONMENT)


def outcomes(report: Report) -> dict[str, str]:
    return {f"{entry.kind} {entry.name}": str(entry.outcome) for entry in report.entries}


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


def test_an_export_with_secrets_restores_a_fresh_installation(
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


def test_a_grant_raises_the_limit_and_a_reset_takes_back_what_was_used(
    database: Database,
) -> None:
    imported(database)
    with database.transaction() as session:
        accounts.set_limit(session, "grace", Decimal(5))
        accounts.grant(session, "grace", Decimal("2.5"))
        spend(session, "grace", 3_000_000_000)

    with database.transaction() as session:
        assert accounts.reset_used(session, "grace") == 3_000_000_000
        assert accounts.reset_used(session, "grace") == 0

    with database.snapshot() as session:
        view = accounts.get_view(session, "grace")
        entries = session.execute(
            select(LedgerEntry.kind, LedgerEntry.level, LedgerEntry.amount_nanos)
            .where(LedgerEntry.user_id == view.id)
            .order_by(LedgerEntry.id)
        ).all()
    assert (view.limit_nanos, view.used_nanos) == (7_500_000_000, 0)
    assert view.lifetime_used_nanos == 3_000_000_000
    assert [tuple(entry) for entry in entries] == [
        ("grant", "user", 0),
        ("adjustment", "user", 3_000_000_000),
        ("reset", "user", -3_000_000_000),
    ]
    assert [found for found in ledger.verify(database) if found.check == "users"] == []


def spend(session: Session, user: str, amount_nanos: int) -> None:
    entry = ledger.Entry(
        id=ids.new_uuid(),
        created_at=clock.now(),
        reference=ids.new("req"),
        slot=ledger.ADJUSTMENT,
        kind=EntryKind.ADJUSTMENT,
        level=EntryLevel.USER,
        user_id=accounts.get_user(session, user).id,
        amount_nanos=amount_nanos,
    )
    ledger.append(session, [entry])


def test_users_who_are_made_at_once_get_numbers_of_their_own(database: Database) -> None:
    imported(database, b"policies: [{name: default}]")

    def make(number: int) -> int:
        with database.transaction() as session:
            part = document.User(email=f"user{number}@example.test")
            return accounts.create_user(session, SEALER, part).number

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(make, range(12)))

    assert sorted(numbers) == list(range(10_000, 10_012))


def test_the_last_administrator_cannot_be_disabled(database: Database) -> None:
    imported(database, b"policies: [{name: default}]\nusers: [{email: a@b.test, role: admin}]")

    with database.transaction() as session, pytest.raises(ConfigurationError, match="last active"):
        accounts.set_user_status(session, "a@b.test", UserStatus.DISABLED)


def test_a_revoked_key_comes_back_when_it_is_enabled(database: Database) -> None:
    imported(database)

    with database.transaction() as session:
        assert api_keys.set_key_enabled(session, "server", enabled=False)
        assert not api_keys.set_key_enabled(session, "server", enabled=False)
        assert api_keys.get_view(session, "server").status == "disabled"
        assert api_keys.set_key_enabled(session, "server", enabled=True)


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
        prices = catalog.list_models(session)[0].usd_per_million
        assert accounts.get_user(session, view.user).limit_nanos == 5_000_000_000
    assert base_url == "http://127.0.0.1:7002/v1"
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
