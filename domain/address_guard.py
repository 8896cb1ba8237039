"""Which addresses Tether may call, and the network backend that resolves, vets and dials in one place.

Used by `domain/http.py` alone. The address that was vetted is the one that is dialled, so a name whose answer changes
between look-up and connect reaches nothing; TLS still checks the certificate against the name.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM
from typing import Final, Self

import httpcore2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port → every address of the answer, as text. Raises OSError where there is none."""


@dataclass(frozen=True, slots=True)
class OutboundAllow:
    """The operator's exceptions: host names (whatever they resolve to) and networks that may be called all the same."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `127.0.0.1, 10.0.0.0/8, ghe.example.internal`. Raises ValueError that names the entry it can't read."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                if not _HOST_NAME.fullmatch(entry.lower()) or _ends_in_number(entry.lower()):
                    raise ValueError(
                        f"{entry!r} is neither a host name, an address nor a network. "
                        "Write for example: 127.0.0.1, 10.0.0.0/8, ghe.example.internal"
                    ) from None
                hosts.add(entry.lower())
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str) -> bool:
        """Whether this very host is listed, by name or as an address; only such hosts may be called without TLS."""
        address = _literal(host)
        return host in self.hosts if address is None else self.covers(address)

    def covers(self, address: Address) -> bool:
        """Whether the address lies in an allowed network."""
        return any(address in network for network in self.networks)


class AddressNotAllowed(Exception):
    """The guard refused to dial. The message names the host, never the private addresses behind it."""


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could call this address: nothing local, shared, embedded or set apart."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    # What may be dialled in IPv6 is the global unicast space without its special blocks. Everything else is outside:
    # loopback, v4-mapped, NAT64, unique and link-local, site-local, multicast.
    return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)


def is_host(text: str) -> bool:
    """Whether it is an address, or a name that could be looked up: labels of 1 to 63 characters, 253 in all."""
    try:
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return _HOST_NAME.fullmatch(text.lower()) is not None


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer to a look-up."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """httpcore's way to the network, through the guard."""

    def __init__(self, allow: OutboundAllow, resolver: Resolver = resolve) -> None:
        self._allow = allow
        self._resolver = resolver
        self._dialler = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Dial the first vetted address that answers. Raises AddressNotAllowed, ConnectError or ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._vetted(host, port)
                share_seconds = None if timeout is None else timeout / len(addresses)
                for address in addresses[:-1]:
                    try:
                        return await self._dialler.connect_tcp(
                            str(address), port, share_seconds, local_address, socket_options
                        )
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue  # the next address may answer; the last one's failure is the caller's
                return await self._dialler.connect_tcp(
                    str(addresses[-1]), port, share_seconds, local_address, socket_options
                )
        except TimeoutError as timed_out:
            raise httpcore2.ConnectTimeout(str(timed_out)) from timed_out

    async def _vetted(self, host: str, port: int) -> Sequence[Address]:
        literal = _literal(host)
        if literal is not None:
            addresses = [literal]
        else:
            try:
                addresses = [ip_address(text) for text in await self._resolver(host, port)]
            except (OSError, UnicodeError) as unknown:  # UnicodeError: what IDNA has no form for
                raise httpcore2.ConnectError(f"{host} has no address") from unknown
            if not addresses:
                raise httpcore2.ConnectError(f"{host} has no address")
        if host not in self._allow.hosts:
            for address in addresses:
                if not is_public(address) and not self._allow.covers(address):
                    raise AddressNotAllowed(f"{host} leads to an address that isn't public")
        return addresses


def _literal(host: str) -> Address | None:
    """The address that a host spells. Raises AddressNotAllowed for decimal, hex and octal, which only fool readers."""
    try:
        return ip_address(host)
    except ValueError:
        if _ends_in_number(host):
            raise AddressNotAllowed(f"{host} is an unusual spelling of an address") from None
        return None


def _ends_in_number(host: str) -> bool:
    """Whether resolvers may read the host as an IPv4 address, by the rule of the URL standard."""
    return _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*"
)
_SPECIAL_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host of a machine in Azure: metadata
        "169.254.0.0/16",  # link-local, and the clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SPECIAL_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
