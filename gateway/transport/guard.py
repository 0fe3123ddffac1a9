"""Where a URL of a user may lead: public addresses, and networks that the operator excepts."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urljoin

from yarl import URL

Address = IPv4Address | IPv6Address

SCHEMES = ("http", "https")
# Others belong to services that speak something else but may understand a line of HTTP.
PORTS = (80, 443, 8080, 8443)

# Written out, because what ``ipaddress`` takes for global differs between releases of Python.
_NOT_PUBLIC_V4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network, unspecified
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT, metadata of one cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # public by number, but the inside of one cloud
            "169.254.0.0/16",  # link-local, metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments, metadata of one cloud
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)
# Everything else is loopback, mapped, NAT64, unique local, link-local, multicast or unassigned.
_GLOBAL_UNICAST_V6 = ip_network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which holds an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
# ISATAP holds an IPv4 address behind one of these, in any network.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

_WRITTEN_OUT = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE)
# Resolvers read a name that ends so as an address: 127.1, 2130706433, 0x7f.1.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)


class Refused(Exception):  # noqa: N818 -- an outcome that the fetcher puts into words
    """Why a URL is not fetched: ``reason`` for the caller, ``detail`` for the log alone."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def parse(text: str, base: URL | None = None) -> URL:
    """The one reading of a URL: what is checked here is what is connected to.

    What is written out is kept to the letter, because it may be signed.
    """
    try:
        joined = text if base is None else urljoin(str(base), text)
        joined.encode()  # JSON can hold what no encoding can
        url = URL(joined, encoded=_WRITTEN_OUT.fullmatch(joined) is not None)
        host, port = url.raw_host or "", url.port
    except ValueError as error:
        raise Refused("it is not a valid URL") from error
    if url.scheme not in SCHEMES:
        raise Refused("only http and https are fetched")
    if "@" in url.raw_authority:
        raise Refused("it holds a user name or password")
    if not port or (find_literal(host) is None and not _is_name(host)):
        raise Refused("it is not a valid URL")
    return url


def find_literal(host: str) -> Address | None:
    """The address that ``host`` is, if it is not a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None and not _ENDS_IN_NUMBER.fullmatch(host)


def is_public(address: Address) -> bool:
    """Whether it is global unicast and no other address hides in it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None or address not in _GLOBAL_UNICAST_V6:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _NOT_PUBLIC_V6)


class Guard:
    def __init__(self, allowed_networks: Sequence[str]) -> None:
        self._allowed = [ip_network(network, strict=False) for network in allowed_networks]

    def check(self, addresses: Sequence[Address], port: int) -> None:
        """Raise Refused unless every address of a host may be connected to on this port.

        A host without any address is refused in the same words as one with a private
        address: the difference would tell which names exist inside.
        """
        strange = [address for address in addresses if not self._is_allowed(address)]
        if not addresses or not all(map(is_public, strange)):
            raise Refused("its host has no public address", ", ".join(map(str, addresses)))
        if strange and port not in PORTS:
            raise Refused(f"its port is none of {', '.join(map(str, PORTS))}")

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)
