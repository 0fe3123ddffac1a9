"""Vendors, capabilities and rules: imported, exported and changed on both engines."""

from collections.abc import Generator
from typing import Any

import pytest
from sqlalchemy import select

from gateway.configuration import files
from gateway.configuration.apply import apply
from gateway.configuration.changes import Outcome
from gateway.configuration.export import export
from gateway.configuration.vendors import list_vendors
from gateway.db import Database
from gateway.settings import DatabaseSettings
from models import AIModel, Backend, BackendModel, Provider
from tests.integration.configured import SEALER, imported, outcomes

FIVE_LINES = b"""
providers:
  - code: deepseek
    vendor: deepseek
    keys: [{secret: {env: VENDOR_KEY}}]
models: [{slug: deepseek-chat, backends: [deepseek], prices: known}]
"""
FILE = b"""
providers:
  - code: local
    vendor: vllm
    backends:
      - {slug: gpu, base_url: "http://127.0.0.1:8000", capabilities: {thinking: flag}}
models:
  - slug: small
    forward: {rule: length, at_least: 20000, model: large}
    fallback: {model: large, larger_context: large}
    backends: [{backend: gpu, upstream_model: s, capabilities: {think_tags: true}}]
    prices: {input: 1, output: 1}
  - slug: large
    forward: {rule: keyword, keywords: [{pattern: "ha+llo", model: small}]}
    fallback: {backend: gpu, models: [small], on_content_policy: true}
    capabilities: {stream_buffer: full, colour: blue}
    backends: [gpu]
    prices: {input: 2, output: 2}
"""


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    yield database
    database.close()


def test_five_lines_are_enough_for_a_vendor(database: Database) -> None:
    first = imported(database, FIVE_LINES)
    second = imported(database, FIVE_LINES)

    assert outcomes(first) == {
        "provider deepseek": "created",
        "backend deepseek": "created",
        "model deepseek-chat": "created",
        "provider key deepseek/default": "created",
    }
    assert second.count(Outcome.UNCHANGED) == len(second.entries)
    with database.snapshot() as session:
        provider = session.scalars(select(Provider)).one()
        backend = session.scalars(select(Backend)).one()
        assert (provider.name, provider.adapter) == ("DeepSeek", "openai")
        assert backend.base_url == "https://api.deepseek.com/beta"
        assert backend.capabilities == {"thinking": "toggle", "prefix": "flag"}


def test_every_vendor_can_be_imported(database: Database) -> None:
    lines = ["providers:"]
    for vendor in list_vendors():
        address = "" if vendor.base_url else ', base_url: "https://own.test"'
        lines.append(f"  - code: {vendor.code}")
        lines.append(f"    vendor: {vendor.code}")
        lines.append(f"    backends: [{{slug: {vendor.code}{address}}}]")
        lines.append("    keys: [{secret: some-secret}]")

    imported(database, "\n".join(lines).encode())

    with database.snapshot() as session:
        styles = {row.code: row.auth_style for row in session.scalars(select(Provider))}
    assert styles["anthropic"] == "x-api-key"
    assert styles["azure-openai"] == "api-key"
    assert styles["ollama"] == "bearer"
    assert len(styles) == len(list_vendors())


def test_a_keyed_server_stays_keyed_when_a_file_leaves_its_keys_out(database: Database) -> None:
    imported(database, b"providers: [{code: o, vendor: ollama, keys: [{secret: some-secret}]}]")

    report = imported(database, b"providers: [{code: o, vendor: ollama}]")

    assert outcomes(report) == {"provider o": "unchanged"}


def test_an_adapter_brings_its_own_way_to_show_a_key(database: Database) -> None:
    imported(database, b"providers: [{code: a, adapter: anthropic}, {code: o, adapter: openai}]")
    imported(database, b"providers: [{code: a, auth_style: bearer}]")

    with database.snapshot() as session:
        styles = {row.code: row.auth_style for row in session.scalars(select(Provider))}
    assert styles == {"a": "bearer", "o": "bearer"}


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_capabilities_and_rules_survive_export_and_import(
    database: Database, form: files.Format
) -> None:
    imported(database, FILE)
    with database.snapshot() as session:
        text = files.encode(export(session, SEALER, with_secrets=False), form)
        backend = session.scalars(select(Backend)).one()
        links: dict[str, dict[str, Any]] = dict(
            session.execute(
                select(AIModel.slug, BackendModel.capabilities).join(
                    AIModel, AIModel.id == BackendModel.model_id
                )
            ).all()
        )

    with database.transaction() as session:
        report = apply(session, SEALER, files.decode(text.encode(), form), {})

    assert {str(entry.outcome) for entry in report.entries} == {"unchanged"}
    assert backend.capabilities == {
        "structured_output": True,
        "prefix": "template",
        "thinking": "flag",
    }
    assert links == {"small": {"think_tags": True}, "large": {}}


def test_a_changed_capability_of_a_link_is_a_change_of_its_model(database: Database) -> None:
    imported(database, FILE)

    report = imported(database, b"models: [{slug: small, backends: [{backend: gpu}]}]")

    assert outcomes(report) == {"model small": "updated"}
    with database.snapshot() as session:
        assert set(map(str, session.scalars(select(BackendModel.capabilities)))) == {"{}"}


def test_rules_are_taken_back_by_empty_ones(database: Database) -> None:
    imported(database, FILE)

    imported(database, b"models: [{slug: small, forward: {}, fallback: {}}]")

    with database.snapshot() as session:
        small = session.scalars(select(AIModel).where(AIModel.slug == "small")).one()
        assert (small.forward, small.fallback) == ({}, {})
