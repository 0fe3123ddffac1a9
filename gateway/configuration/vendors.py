"""Well-known vendors: what a file need not write down when it names one."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway.configuration import document
from gateway.configuration.problems import ConfigurationError
from gateway.providers import KEYLESS

BEARER = "bearer"


class Vendor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    name: str
    adapter: str
    auth_style: str
    # None: every customer has an address of his own.
    base_url: str | None
    path_templates: dict[str, str] = {}
    api_version: str | None = None
    headers: dict[str, str] = {}
    capabilities: dict[str, Any] = {}


@cache
def list_vendors() -> tuple[Vendor, ...]:
    data = Path(__file__).with_name("vendors.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Vendor, ...])


def get_vendor(code: str, path: str) -> Vendor:
    vendors = {vendor.code: vendor for vendor in list_vendors()}
    if code not in vendors:
        msg = f"{path}.vendor: there is no {code!r}; use {', '.join(sorted(vendors))}"
        raise ConfigurationError(msg)
    return vendors[code]


def complete(
    part: document.Provider, path: str, *, is_new: bool, has_keys: bool
) -> document.Provider:
    """The provider with what its vendor's row says wherever the file says nothing."""
    if isinstance(part.vendor, UnsetType):
        return part
    vendor = get_vendor(part.vendor, path)
    backends = part.backends
    if is_new and not backends:
        if vendor.base_url is None:
            msg = f"{path}: {vendor.code!r} has no address of its own; add a backend with base_url"
            raise ConfigurationError(msg)
        # Its own address is all there is to say, and the provider's code names it.
        backends = [document.Backend(slug=part.code)]
    # A key that is given is there to be shown, even where most get along without one.
    keyed = BEARER if vendor.auth_style == KEYLESS and has_keys else vendor.auth_style
    return replace(
        part,
        name=_or(part.name, vendor.name),
        adapter=_or(part.adapter, vendor.adapter),
        auth_style=_or(part.auth_style, keyed),
        path_templates=_or(part.path_templates, vendor.path_templates),
        api_version=_or(part.api_version, vendor.api_version),
        headers=_or(part.headers, vendor.headers),
        backends=[_complete_backend(backend, vendor) for backend in backends],
    )


def _complete_backend(part: document.Backend, vendor: Vendor) -> document.Backend:
    return replace(
        part,
        base_url=_or(part.base_url, UNSET if vendor.base_url is None else vendor.base_url),
        capabilities=vendor.capabilities | _or(part.capabilities, {}),
    )


def _or(given: Any, otherwise: Any) -> Any:  # noqa: ANN401 - any field of the file
    return otherwise if given is UNSET else given
