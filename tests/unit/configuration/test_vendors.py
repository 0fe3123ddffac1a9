"""The rows of well-known vendors, and what a file gets from them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from gateway.configuration import document, vendors
from gateway.configuration.problems import ConfigurationError
from gateway.protocols.traits import Traits, traits_of
from gateway.providers import PROVIDERS

GUIDE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
VENDORS = {vendor.code: vendor for vendor in vendors.list_vendors()}


def completed(
    *,
    is_new: bool = True,
    has_keys: bool = True,
    **fields: Any,  # noqa: ANN401
) -> document.Provider:
    part = document.Provider(code="ours", **fields)
    return vendors.complete(part, "providers[0]", is_new=is_new, has_keys=has_keys)


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=list(VENDORS))
def test_a_row_names_an_adapter_and_capabilities_that_are_known(vendor: vendors.Vendor) -> None:
    assert vendor.adapter in PROVIDERS
    assert set(vendor.capabilities) <= set(Traits.__struct_fields__)
    traits_of(vendor.capabilities)


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=list(VENDORS))
def test_the_guide_has_every_vendor(vendor: vendors.Vendor) -> None:
    (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| `{vendor.code}` |")]
    assert vendor.name in row
    assert f"`{vendor.auth_style}`" in row
    assert (f"`{vendor.base_url}`" if vendor.base_url else "yours") in row


def test_everything_that_is_left_open_comes_from_the_row() -> None:
    part = completed(vendor="deepseek")

    assert (part.name, part.adapter, part.auth_style) == ("DeepSeek", "openai", "bearer")
    assert part.path_templates == VENDORS["deepseek"].path_templates
    (backend,) = part.backends
    assert (backend.slug, backend.base_url) == ("ours", VENDORS["deepseek"].base_url)
    assert backend.capabilities == {"thinking": "toggle", "prefix": "flag"}


def test_what_the_file_says_wins_capability_by_capability() -> None:
    own = document.Backend(slug="eu", base_url="https://eu.test", capabilities={"prefix": "none"})

    part = completed(vendor="deepseek", name="Mine", path_templates={}, backends=[own])

    assert (part.name, part.path_templates) == ("Mine", {})
    (backend,) = part.backends
    assert (backend.slug, backend.base_url) == ("eu", "https://eu.test")
    assert backend.capabilities == {"thinking": "toggle", "prefix": "none"}


def test_a_provider_that_is_there_already_gets_no_further_backend() -> None:
    assert completed(vendor="openai", is_new=False).backends == []


def test_without_a_vendor_nothing_is_added() -> None:
    part = completed(adapter="openai")
    assert (part.name, part.backends) == (UNSET, [])


@pytest.mark.parametrize(("has_keys", "style"), [(True, "bearer"), (False, "none")])
def test_a_key_is_shown_even_to_a_server_that_may_do_without(
    style: str,
    has_keys: bool,  # noqa: FBT001
) -> None:
    assert completed(vendor="ollama", has_keys=has_keys).auth_style == style


@pytest.mark.parametrize(
    ("vendor", "problem"),
    [
        ("fax", "providers[0].vendor: there is no 'fax'; use anthropic, azure-openai"),
        ("azure-openai", "providers[0]: 'azure-openai' has no address of its own"),
    ],
)
def test_what_cannot_be_completed_is_refused_with_the_path(vendor: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        completed(vendor=vendor)
    assert problem in str(raised.value)
