"""How our key is shown to a vendor, and what of ours and his a caller must not read."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.providers.base import TargetView

KEYLESS = "none"
_QUERY = "query:"


def headers_of(
    target: TargetView, extra_headers: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, str]:
    """Our key last: nothing that is sent along may take its place."""
    given = {name.lower(): value for name, value in target.headers.items()}
    extra = {name.lower(): value for name, value in extra_headers.items()}
    headers = {**defaults, **given, **extra}
    style = target.auth_style
    if style == "bearer":
        headers["authorization"] = f"Bearer {target.secret}"
    elif style != KEYLESS and not style.startswith(_QUERY):
        headers[style] = target.secret
    return headers


def parameters_of(target: TargetView) -> dict[str, str]:
    """Our key as a parameter of the address, for vendors that want it there."""
    if not target.auth_style.startswith(_QUERY):
        return {}
    return {target.auth_style.removeprefix(_QUERY): target.secret}


def private_names(target: TargetView) -> tuple[str, ...]:
    """Words in a vendor's message that would tell a caller which backend answered him."""
    parts = urlsplit(target.base_url)
    return tuple(name for name in (parts.netloc, parts.hostname, target.backend_slug) if name)
