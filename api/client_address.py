"""The address a request comes from; forwarding headers count only behind trusted proxies."""

import ipaddress
from functools import cache

from api.context import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@cache
def _networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(proxy, strict=False) for proxy in proxies)


def of(request: Request) -> str:
    """The peer, or the nearest address in ``X-Forwarded-For`` that is no proxy of ours."""
    peer = request.ip
    proxies = request.app.ctx.settings.api.trusted_proxies
    if not proxies or not _is_trusted(peer, proxies):
        return peer
    # Some proxies add a line of their own below what the client sent.
    forwarded = ",".join(request.headers.getall("x-forwarded-for", []))
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    for hop in reversed(hops):
        if not _is_trusted(hop, proxies):
            return hop if _is_address(hop) else peer
    return peer


def _is_trusted(address: str, proxies: tuple[str, ...]) -> bool:
    if not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in _networks(proxies))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
