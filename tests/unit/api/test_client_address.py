"""Forwarding headers count behind trusted proxies, and nowhere else."""

from types import SimpleNamespace
from typing import cast

import pytest
from sanic.compat import Header

from api import client_address
from api.context import Request

PROXIES = ("10.0.0.0/8", "fd00::/8", "127.0.0.1")


def address(peer: str, *forwarded: str, proxies: tuple[str, ...] = PROXIES) -> str:
    settings = SimpleNamespace(api=SimpleNamespace(trusted_proxies=proxies))
    headers = Header([("x-forwarded-for", line) for line in forwarded])
    app = SimpleNamespace(ctx=SimpleNamespace(settings=settings))
    request = SimpleNamespace(ip=peer, headers=headers, app=app)
    return client_address.of(cast("Request", request))


def test_without_proxies_the_peer_is_the_client() -> None:
    assert address("10.0.0.1", "1.2.3.4", proxies=()) == "10.0.0.1"


def test_a_stranger_cannot_choose_its_address() -> None:
    assert address("9.9.9.9", "1.2.3.4") == "9.9.9.9"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ((), "10.0.0.1"),
        (("",), "10.0.0.1"),
        (("1.2.3.4",), "1.2.3.4"),
        (("6.6.6.6, 1.2.3.4",), "1.2.3.4"),
        (("6.6.6.6, 1.2.3.4, 10.1.1.1",), "1.2.3.4"),
        (("1.2.3.4 ,, 10.1.1.1 ,",), "1.2.3.4"),
        (("6.6.6.6", "1.2.3.4"), "1.2.3.4"),
        (("6.6.6.6", "1.2.3.4", "10.2.2.2"), "1.2.3.4"),
        (("2001:db8::1",), "2001:db8::1"),
        (("2001:db8::1, fd00::5",), "2001:db8::1"),
        (("6.6.6.6, nonsense",), "10.0.0.1"),
        (("6.6.6.6, 1.2.3.4:80",), "10.0.0.1"),
        (("\udcff\udcfe",), "10.0.0.1"),
        (("10.1.1.1, 10.2.2.2",), "10.0.0.1"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_is_the_client(
    forwarded: tuple[str, ...], expected: str
) -> None:
    assert address("10.0.0.1", *forwarded) == expected


def test_a_peer_on_a_unix_socket_is_no_proxy() -> None:
    assert address("", "1.2.3.4") == ""
