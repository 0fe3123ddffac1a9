"""The catalog as calls see it, read from real databases of both engines."""

from collections.abc import Generator

import pytest
from sqlalchemy import update

from gateway.catalog import Catalog, Offer, Target
from gateway.catalog.queries import load_catalog
from gateway.db import Database
from gateway.protocols.traits import NO_TRAITS, traits_of
from gateway.settings import DatabaseSettings
from models import AIModel, Backend
from tests.integration.configured import SEALER, imported

FILE = b"""
providers:
  - code: one
    adapter: openai
    backends:
      - {slug: a, base_url: "https://a.test/v1", weight: 3, capabilities: {prefix: message}}
      - {slug: b, base_url: "https://b.test/v1", capabilities: {thinking: flag}}
    keys:
      - {name: free, secret: key-free}
      - {name: to-a, secret: key-to-a, backends: [a]}
      - {name: to-chat, secret: key-to-chat, models: [chat]}
      - {name: both, secret: key-both, backends: [b], models: [chat]}
      - {name: agents, secret: key-agents, agents_only: true}
      - {name: agents-b, secret: key-agents-b, agents_only: true, backends: [b], models: [chat]}
  - code: two
    adapter: anthropic
    backends: [{slug: c, base_url: "https://c.test"}]
    keys: [{name: other, secret: key-other, models: [chat]}]
models:
  - slug: chat
    name: The chat
    aliases: [talk, "talk-*"]
    capabilities: {thinking: toggle, structured_output: true, colour: blue}
    forward: {rule: length, at_least: 1000, model: long}
    fallback: {backend: c, models: [long], on_content_policy: true}
    backends:
      - {backend: a, priority: 1}
      - {backend: b, priority: 5, capabilities: {thinking: fixed}}
  - {slug: long, backends: [a]}
  - slug: "gpt-*"
    backends: [{backend: a, upstream_model: "gpt-*"}, {backend: b, upstream_model: gpt-x}]
  - {slug: "gpt-4*", backends: [a], fallback: {backend: b}}
  - {slug: "*", enabled: false, backends: [a]}
"""


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    database = Database.connect(database_url, DatabaseSettings(pool_size=6), "tests")
    imported(database, FILE)
    yield database
    database.close()


def loaded(database: Database) -> Catalog:
    with database.snapshot() as session:
        return load_catalog(session, SEALER.open)


def found(catalog: Catalog, name: str) -> Offer:
    offer = catalog.find(name)
    assert offer is not None
    return offer


def served(targets: tuple[Target, ...]) -> set[tuple[str, str]]:
    return {(target.backend_slug, target.secret.removeprefix("key-")) for target in targets}


def test_keys_serve_what_they_are_tied_to_and_untied_ones_their_provider(
    database: Database,
) -> None:
    catalog = loaded(database)

    assert served(found(catalog, "chat").targets) == {
        *{("a", "free"), ("a", "to-a"), ("a", "to-chat"), ("a", "both")},
        *{("b", "free"), ("b", "to-chat"), ("b", "both"), ("b", "agents-b")},
    }
    assert served(found(catalog, "long").targets) == {("a", "free"), ("a", "to-a")}
    targets = found(catalog, "chat").targets
    assert len({(it.link_id, it.provider_key_id) for it in targets}) == len(targets)


def test_a_target_knows_its_priority_and_what_model_backend_and_link_say_together(
    database: Database,
) -> None:
    offer = found(loaded(database), "chat")

    by_backend = {target.backend_slug: target for target in offer.targets}
    assert [target.priority for target in offer.targets] == [5] * 4 + [1] * 4
    assert by_backend["a"].traits == traits_of(
        {"thinking": "toggle", "structured_output": True, "prefix": "message"}
    )
    assert by_backend["b"].traits == traits_of({"thinking": "fixed", "structured_output": True})


def test_an_offer_carries_its_rules_and_names(database: Database) -> None:
    offer = found(loaded(database), "chat")

    assert (offer.name, offer.aliases) == ("The chat", ("talk", "talk-*"))
    assert offer.forward == {"rule": "length", "at_least": 1000, "model": "long"}
    assert offer.fallback["models"] == ["long"]
    assert offer.capabilities["colour"] == "blue"


def test_a_fallback_backend_is_a_target_whether_it_is_linked_or_not(database: Database) -> None:
    catalog = loaded(database)

    chat = found(catalog, "chat")
    (target,) = chat.fallback_targets
    assert (target.backend_slug, target.secret, target.adapter) == ("c", "key-other", "anthropic")
    assert target.link_id == f"{chat.model_id}:{target.backend_id}"
    assert (target.upstream_model, target.priority, target.weight) == ("chat", 0, 1)
    pattern = found(catalog, "gpt-4*")
    assert served(pattern.fallback_targets) == {("b", "free"), ("b", "both"), ("b", "agents-b")}
    assert {target.upstream_model for target in pattern.fallback_targets} == {""}
    assert found(catalog, "long").fallback_targets == ()


def test_a_linked_fallback_backend_keeps_its_link_even_if_it_is_switched_off(
    database: Database,
) -> None:
    imported(
        database,
        b"""
models:
  - slug: chat
    fallback: {backend: b}
    backends: [a, {backend: b, upstream_model: spare, enabled: false}]
""",
    )

    offer = found(loaded(database), "chat")

    assert {target.backend_slug for target in offer.targets} == {"a"}
    assert {target.upstream_model for target in offer.fallback_targets} == {"spare"}
    assert not any(":" in target.link_id for target in offer.fallback_targets)


def test_a_fallback_backend_that_is_switched_off_is_no_target(database: Database) -> None:
    imported(database, b"providers: [{code: two, enabled: false}]")

    assert found(loaded(database), "chat").fallback_targets == ()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("chat", "chat"),
        ("talk", "chat"),
        ("talk-fast", "chat"),
        ("gpt-3", "gpt-*"),
        ("gpt-4o", "gpt-4*"),
        ("gpt-*", "gpt-*"),
        ("my-gpt-4o", None),
        ("talks", None),
        ("", None),
    ],
)
def test_a_name_is_a_slug_an_alias_or_fits_a_pattern(
    database: Database, name: str, slug: str | None
) -> None:
    offer = loaded(database).find(name)
    assert (offer.slug if offer else None) == slug


def test_a_pattern_sends_the_name_that_was_asked_for_unless_its_link_names_one(
    database: Database,
) -> None:
    catalog = loaded(database)

    names = {it.backend_slug: it.upstream_model for it in found(catalog, "gpt-3").targets}
    assert names == {"a": "", "b": "gpt-x"}
    assert {it.upstream_model for it in found(catalog, "talk-fast").targets} == {"chat"}


def test_capabilities_that_make_no_sense_count_for_nothing_and_harm_no_other_model(
    database: Database,
) -> None:
    with database.transaction() as session:
        session.execute(
            update(AIModel).where(AIModel.slug == "chat").values(capabilities={"thinking": 1})
        )
        session.execute(
            update(Backend).where(Backend.slug == "b").values(capabilities={"affinity": False})
        )

    catalog = loaded(database)

    by_backend = {it.backend_slug: it.traits for it in found(catalog, "chat").targets}
    assert by_backend["a"] == NO_TRAITS
    assert {it.traits.affinity for it in found(catalog, "gpt-x").targets} == {True, False}
