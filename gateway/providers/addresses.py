"""Where a request goes: the base URL of a backend and the path of an operation."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from gateway.providers.base import TargetView

# An address whose path ends so is complete up to the operation: …/v1, …/v1beta, …/openai.
_COMPLETE = re.compile(r"/(?:v\d+(?:\.\d+)?(?:(?:alpha|beta)\d*)?|openai)$")


def address_of(
    operation: str, target: TargetView, paths: Mapping[str, str], parameters: Mapping[str, str]
) -> str:
    """The provider's own path below the base URL as it is, else the protocol's usual one."""
    template = target.path_templates.get(operation)
    if template is None:
        url = _usual(target.base_url, paths[operation])
    else:
        url = _joined(target.base_url, template, target.upstream_model)
    if parameters:
        url += ("&" if "?" in url else "?") + urlencode(parameters)
    return url


@lru_cache(maxsize=4096)
def _usual(base_url: str, path: str) -> str:
    base = urlsplit(base_url).path.rstrip("/")
    return _below(base_url, path if _COMPLETE.search(base) else "/v1" + path)


@lru_cache(maxsize=4096)
def _joined(base_url: str, template: str, model: str) -> str:
    return _below(base_url, template.replace("{model}", quote(model, safe="")))


def _below(base_url: str, path: str) -> str:
    """Parameters of the base URL stay behind the path."""
    scheme, host, base, query, _ = urlsplit(base_url)
    path, _, own_query = path.partition("?")
    queries = "&".join(part for part in (query, own_query) if part)
    return urlunsplit((scheme, host, f"{base.rstrip('/')}/{path.lstrip('/')}", queries, ""))
