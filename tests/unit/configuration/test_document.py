"""The import file: three spellings of one document, exact decimals, errors with their path."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import UNSET

from gateway.configuration import files, prices
from gateway.configuration.document import Document, Link
from gateway.configuration.problems import ConfigurationError

SPELLINGS: dict[files.Format, bytes] = {
    "yaml": b"models: [{slug: m, backends: [a, {backend: b, weight: 2}], prices: {input: 0.1}}]",
    "json": b'{"models":[{"slug":"m","backends":["a",{"backend":"b","weight":2}],'
    b'"prices":{"input":0.1}}]}',
    "toml": b'[[models]]\nslug = "m"\nbackends = ["a", {backend = "b", weight = 2}]\n'
    b"prices = {input = 0.1}\n",
}


@pytest.mark.parametrize("form", SPELLINGS)
def test_every_format_is_read_into_the_same_document(form: files.Format) -> None:
    (model,) = files.decode(SPELLINGS[form], form).models

    assert model.prices == {"input": Decimal("0.1")}
    assert model.backends == ["a", Link(backend="b", weight=2)]
    assert model.enabled is UNSET


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
@pytest.mark.parametrize("amount", ["0.000000001", "2.50", "12345678.123456789"])
def test_amounts_never_pass_through_a_float(form: files.Format, amount: str) -> None:
    text = {
        "yaml": f"models: [{{slug: m, prices: {{input: {amount}}}}}]",
        "json": f'{{"models":[{{"slug":"m","prices":{{"input":{amount}}}}}]}}',
        "toml": f'[[models]]\nslug = "m"\nprices = {{input = {amount}}}\n',
    }[form]

    (model,) = files.decode(text.encode(), form).models

    assert model.prices == {"input": Decimal(amount)}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"models: [{slug: m, price: 1}]", "unknown field `price` - at `$.models[0]`"),
        (b"models: [{slug: m, prices: {inptu: 1}}]", "'inptu' is not a dimension"),
        (b"models: [{slug: m, prices: {input: -1}}]", "$.models[0]"),
        (b"models: [{slug: m, prices: {input: .nan}}]", "'.nan' is not a number"),
        (b"models: [{slug: m, prices: {input: 'NaN'}}]", "prices.input must be an amount"),
        (b"models: [{slug: m, prices: {input: 10000000000}}]", "more than can be counted"),
        (b"models: [{slug: m, prices: guess}]", "$.models[0].prices"),
        (b"models: [{slug: 'a b'}]", "$.models[0].slug"),
        (b"users: [{name: nobody}]", "a user needs an email or an account"),
        (b"users: [{email: a@b.test, limit_usd: -1}]", "limit_usd"),
        (b"users: [{email: a@b.test, expires_at: 2030-01-01}]", "$.users[0].expires_at"),
        (b"users: [{email: a@b.test, keys: [{key: x}]}]", "missing required field `name`"),
        (b"policies: [{name: p, priority: 10}]", "$.policies[0].priority"),
        (
            b"policies: [{name: p, available_time_ranges: [{start: '9:00', end: '10:00'}]}]",
            "$.policies[0].available_time_ranges[0].start",
        ),
        (b"providers: [{code: p, backends: [{slug: b, base_url: ftp://x}]}]", "base_url"),
        (b"providers: [{code: p, backends: [{slug: b, base_url: 'http://x:y'}]}]", "base_url"),
        (b"providers: [{code: p, backends: [{slug: b, base_url: 'http://[x'}]}]", "base_url"),
        (
            b"models: [{slug: m, capabilities: {thinking: loudly}}]",
            "capabilities.thinking: Invalid enum value 'loudly' - at `$.models[0]`",
        ),
        (
            b"models: [{slug: m, backends: [{backend: b, capabilities: {affinity: 1}}]}]",
            "capabilities.affinity: Expected `bool`, got `int` - at `$.models[0].backends[0]`",
        ),
        (
            b"providers: [{code: p, backends: [{slug: b, capabilities: {prefix: up}}]}]",
            "capabilities.prefix: Invalid enum value 'up' - at `$.providers[0].backends[0]`",
        ),
        (b"models: [{slug: m, forward: {rule: chance}}]", "forward.rule: Invalid value 'chance'"),
        (b"models: [{slug: m, forward: {model: n}}]", "forward: Object missing required field"),
        (b"models: [{slug: m, forward: {rule: all}}]", "forward: Object missing required field"),
        (b"models: [{slug: m, forward: {rule: all, model: n, to: o}}]", "unknown field `to`"),
        (b"models: [{slug: m, forward: {rule: keyword, keywords: []}}]", "forward.keywords: "),
        (
            b"models: [{slug: m, forward: {rule: keyword, keywords: [{pattern: '(', model: n}]}}]",
            "forward.keywords[0]: '(' is not a regular expression",
        ),
        (
            b"models: [{slug: m,forward: {rule: keyword, keywords: [{pattern: '[ ]', model: n}]}}]",
            "forward.keywords[0]: '[ ]' is not a regular expression",
        ),
        (
            b"models: [{slug: m, forward: {rule: keyword, keywords: [{pattern: ' ', model: n}]}}]",
            "forward.keywords[0].pattern: ",
        ),
        (
            b"models: [{slug: m, forward: {rule: length, at_least: 0, model: n}}]",
            "forward.at_least: Expected `int` >= 1 - at `$.models[0]`",
        ),
        (
            b"models: [{slug: m, fallback: {models: n}}]",
            "fallback.models: Expected `array`, got `str` - at `$.models[0]`",
        ),
        (b"models: [{slug: m, fallback: {modle: n}}]", "fallback: Object contains unknown field"),
        (b"models: {slug: m}", "Expected `array`"),
        (b"[1, 2]", "Expected `object`"),
        (b"models: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_of_the_mistake(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        files.decode(data, "yaml")

    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_errors_of_a_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"model": []}')

    with pytest.raises(ConfigurationError, match=r"c\.json: Object contains unknown field `model`"):
        files.read(path)
    with pytest.raises(ConfigurationError, match=r"none\.yaml: No such file"):
        files.read(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match=r"must end in one of \.json"):
        files.read(tmp_path / "c.ini")


def test_an_empty_file_asks_for_nothing() -> None:
    assert files.decode(b"", "yaml") == Document()


def test_prices_become_nanos_per_million_and_back() -> None:
    written = {"input": Decimal("2.50"), "image:1024x1024": Decimal(40000)}

    rows = prices.rows_from_usd(written)

    assert rows == {("input", ""): 2_500_000_000, ("image", "1024x1024"): 40_000_000_000_000}
    assert prices.usd_from_rows(rows) == written


def test_a_price_finer_than_a_nano_is_rounded_up() -> None:
    assert prices.rows_from_usd({"input": Decimal("0.0000000001")}) == {("input", ""): 1}


def test_rules_may_be_empty_and_capabilities_of_others_are_let_through() -> None:
    (model,) = files.decode(
        b"models: [{slug: m, forward: {}, fallback: {}, capabilities: {colour: blue}}]", "yaml"
    ).models

    assert (model.forward, model.fallback, model.capabilities) == ({}, {}, {"colour": "blue"})


def test_the_examples_of_the_guide_are_valid_files() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    examples = [part.partition("```")[0] for part in guide.split("```yaml\n")[1:]]

    documents = [files.decode(example.encode(), "yaml") for example in examples]

    assert [model.slug for model in documents[0].models] == ["gpt-4o-mini", "our-chat"]
    assert all(document.models for document in documents)
