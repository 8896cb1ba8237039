"""Which addresses may be called: the allow-list, all kinds of addresses that aren't public, names that lead to one."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import Address, AddressNotAllowed, GuardedBackend, OutboundAllow, is_public

pytestmark = pytest.mark.anyio

NOT_PUBLIC_NETWORKS = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
METADATA = ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"]
not_public = st.sampled_from(NOT_PUBLIC_NETWORKS).flatmap(lambda network: st.ip_addresses(network=network))


def answering(*addresses: str) -> "GuardedBackend":
    """A guard without exceptions, whose look-ups bring these addresses."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return GuardedBackend(OutboundAllow(), resolver)


def test_the_allow_list_holds_hosts_addresses_and_networks() -> None:
    allow = OutboundAllow.parse(" 127.0.0.1, 10.0.0.0/8,, GHE.example.internal , ::1")

    assert allow.names("ghe.example.internal")
    assert not allow.names("other.example.internal")
    assert allow.names("127.0.0.1")
    assert allow.names("10.20.30.40")
    assert allow.names("::1")
    assert not allow.covers(ip_address("127.0.0.2"))
    assert not OutboundAllow.parse("").names("127.0.0.1")


@pytest.mark.parametrize("host", ["api..github.example", "a" * 64 + ".example", "\u2488com"])
async def test_a_name_that_cannot_be_looked_up_has_no_address(host: str) -> None:
    with pytest.raises(httpcore2.ConnectError, match="has no address"):
        await GuardedBackend(OutboundAllow()).connect_tcp(host, 443)


@pytest.mark.parametrize(
    "entry",
    [
        "http://ghe.example",
        "ghe.example:443",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "256.1.1.1",
        "0x7f.1",
        "*.example",
        "a b",
        "-a",
    ],
)
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host name, an address nor a network") as caught:
        OutboundAllow.parse(f"127.0.0.1, {entry}")
    assert repr(entry) in str(caught.value)


@given(not_public)
def test_no_special_network_is_public(address: Address) -> None:
    assert not is_public(address)


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_not_public(address: Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local:
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_embedded_in_ipv6_is_not_public(address: IPv4Address) -> None:
    number = int(address)
    teredo = (0x20010000 << 96) | (number ^ 0xFFFFFFFF)
    for embedded in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, teredo):
        assert not is_public(IPv6Address(embedded))


@pytest.mark.parametrize("text", METADATA)
def test_the_clouds_metadata_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["140.82.121.4", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])
def test_ordinary_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
    ],
)
async def test_no_spelling_of_a_private_address_is_dialled(host: str) -> None:
    with pytest.raises(AddressNotAllowed, match=r"isn't public|unusual spelling"):
        await answering("140.82.121.4").connect_tcp(host, 80, timeout=1)


async def test_an_allowed_address_is_not_allowed_in_an_unusual_spelling() -> None:
    guard = GuardedBackend(OutboundAllow.parse("127.0.0.0/8"))
    for host in ("2130706433", "0x7f.1", "::ffff:127.0.0.1"):
        with pytest.raises(AddressNotAllowed):
            await guard.connect_tcp(host, 80, timeout=1)


@given(not_public, st.lists(st.sampled_from(["140.82.121.4", "2606:4700:4700::1111"]), max_size=2))
async def test_one_private_address_spoils_the_whole_answer(address: Address, public: list[str]) -> None:
    with pytest.raises(AddressNotAllowed, match=r"^service\.example leads to an address that isn't public$"):
        await answering(*public, str(address)).connect_tcp("service.example", 443, timeout=1)


async def test_the_systems_own_answer_for_localhost_is_refused() -> None:
    with pytest.raises(AddressNotAllowed):
        await GuardedBackend(OutboundAllow()).connect_tcp("localhost", 80, timeout=5)


async def test_a_name_without_an_address_cannot_be_connected_to() -> None:
    with pytest.raises(httpcore2.ConnectError, match=r"service\.example has no address"):
        await answering().connect_tcp("service.example", 443, timeout=1)
