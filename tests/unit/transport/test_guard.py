"""Only public addresses are reached, however a URL or a name server writes another one."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.settings import FetchSettings
from gateway.transport import guard
from gateway.transport.guard import Guard, Refused

STRICT = Guard(())


def embeddings(inner: IPv4Address) -> dict[str, IPv6Address]:
    """Every way in which an IPv4 address stands in an IPv6 address of a known form."""
    number = int(inner)
    return {
        "mapped": IPv6Address(0xFFFF << 32 | number),
        "compatible": IPv6Address(number),
        "translated": IPv6Address(0xFFFF << 48 | number),
        "6to4": IPv6Address(0x2002 << 112 | number << 80 | 1),
        "NAT64": IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        "local NAT64": IPv6Address(int(IPv6Address("64:ff9b:1::")) | number),
        "Teredo client": IPv6Address(int(IPv6Address("2001::")) | number ^ 0xFFFF_FFFF),
        "Teredo server": IPv6Address(int(IPv6Address("2001::")) | number << 64),
        "ISATAP": IPv6Address(0x2607_F8B0 << 96 | 0x5EFE << 32 | number),
        "global ISATAP": IPv6Address(0x2607_F8B0 << 96 | 0x0200_5EFE << 32 | number),
    }


def is_ordinary(address: IPv4Address | IPv6Address) -> bool:
    """What the standard library says, which knows nothing of our tables."""
    return address.is_global and not (address.is_multicast or address.is_reserved)


def read_and_check(url: str) -> None:
    target = guard.parse(url)
    if (literal := guard.find_literal(target.raw_host or "")) is not None:
        STRICT.check([literal], target.port or 0)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_passes_in_any_embedding(address: IPv4Address) -> None:
    passing = [form for form, outer in embeddings(address).items() if guard.is_public(outer)]
    assert passing == []


@given(st.ip_addresses())
def test_what_is_not_global_unicast_never_passes(address: IPv4Address | IPv6Address) -> None:
    assume(not is_ordinary(address))
    assert not guard.is_public(address)
    with pytest.raises(Refused):
        STRICT.check([address], 80)


@given(st.integers(1, 223), st.integers(0, 2**24 - 1))
def test_ordinary_ipv4_addresses_pass(first: int, rest: int) -> None:
    address = IPv4Address(first << 24 | rest)
    assume(is_ordinary(address))
    assume(not str(address).startswith(("192.0.0.", "192.88.99.", "168.63.129.16")))
    STRICT.check([address], 443)


@pytest.mark.parametrize("address", ["2606:4700::1111", "2a00:1450:4001:80b::200e", "2401::1"])
def test_ordinary_ipv6_addresses_pass(address: str) -> None:
    STRICT.check([ip_address(address)], 443)


@given(st.ip_addresses(v=4))
def test_no_spelling_of_an_address_is_taken_for_a_name(address: IPv4Address) -> None:
    a, b, c, d = address.packed
    number = int(address)
    for host in (
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"0{a:o}.{b}.{c}.{d}",
        f"{a}.{b}.{c}.{hex(d)}",
        f"{address}.",
    ):
        assert socket.inet_aton(host.rstrip(".")) == address.packed or a in (8, 9)
        with pytest.raises(Refused):
            guard.parse(f"http://{host}/")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 -- never bound
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2001:0:808:808::1",
        "2001:db8::1",
        "2002:808:808::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%1",
        "2606:4700::1111%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(Refused):
        STRICT.check([ip_address(address)], 80)


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(Refused, match="public"):
        STRICT.check([ip_address("8.8.8.8"), ip_address("10.0.0.1")], 80)


def test_a_private_host_is_refused_in_the_words_for_a_host_that_does_not_exist() -> None:
    with pytest.raises(Refused) as private:
        STRICT.check([ip_address("10.0.0.1")], 80)
    with pytest.raises(Refused) as missing:
        STRICT.check([], 80)
    assert private.value.reason == missing.value.reason
    assert private.value.detail == "10.0.0.1"


@pytest.mark.parametrize("port", [1, 22, 25, 6379, 11211])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(Refused, match="port"):
        STRICT.check([ip_address("8.8.8.8")], port)


def test_an_allowed_network_is_reached_on_any_port() -> None:
    lenient = Guard(("127.0.0.0/8", "fd00::/8"))
    lenient.check([ip_address("127.0.0.2"), ip_address("fd00::1")], 6379)
    with pytest.raises(Refused):
        lenient.check([ip_address("10.0.0.1")], 80)
    with pytest.raises(Refused):
        lenient.check([ip_address("::ffff:127.0.0.2")], 80)
    with pytest.raises(Refused, match="port"):
        lenient.check([ip_address("127.0.0.2"), ip_address("8.8.8.8")], 6379)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/a.png",
        "//example.com/a.png",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///a.png",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://:@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:http/",
        "http://exa mple.com/",
        "http://ex%61mple.com/",
        "http://.example.com/",
        "http://example..com/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://a.0x/",
        "http://\uff11\uff12\uff17.1/",
        "http://[::1",
        "http://[::1]x/",
        "http://[fe80::1%25eth0]/",
        "http://example.com/\udcff",
    ],
)
def test_urls_that_are_not_plain_http_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        read_and_check(url)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com/a.png", "example.com", 443),
        ("HTTP://EXAMPLE.com:8080", "EXAMPLE.com", 8080),
        ("http://a_b.example.com./x y", "a_b.example.com.", 80),
        ("http://m\u00fcnchen.example/\u00fc", "xn--mnchen-3ya.example", 80),
        ("http://[2606:4700::1111]/", "2606:4700::1111", 80),
        ("http://\uff18.8.8.8/", "8.8.8.8", 80),
    ],
)
def test_ordinary_urls_are_read(url: str, host: str, port: int) -> None:
    parsed = guard.parse(url)
    assert (parsed.raw_host, parsed.port) == (host, port)


def test_a_signed_url_stays_as_it_is() -> None:
    url = "https://example.com/a%2Fb?sig=a%2Bb%2f%3D&x=~%7E+/"
    assert str(guard.parse(url)) == url


def test_a_redirect_is_read_against_where_it_came_from() -> None:
    base = guard.parse("https://example.com/a/b?c#d")
    assert str(guard.parse("../x?y", base)) == "https://example.com/x?y"
    assert guard.parse("//other.example/x", base).host == "other.example"
    with pytest.raises(Refused):
        guard.parse("http://[", base)


@given(st.text(max_size=60))
def test_whatever_text_is_given_is_read_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.com/{text}"):
        try:
            parsed = guard.parse(url)
        except Refused:
            continue
        assert parsed.scheme in guard.SCHEMES
        assert parsed.raw_host


def test_a_network_that_is_none_stops_the_process_at_start() -> None:
    with pytest.raises(ValidationError, match="allowed_networks"):
        FetchSettings(allowed_networks=("10.0.0.0/99",))
