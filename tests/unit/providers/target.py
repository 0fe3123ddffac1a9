"""A place to send to, as adapters see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FakeTarget:
    base_url: str = "https://vendor.test/v1"
    auth_style: str = "none"
    backend_slug: str = "vendor-eu"
    path_templates: Mapping[str, str] = field(default_factory=dict)
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upstream_model: str = "m"
    secret: str = ""
