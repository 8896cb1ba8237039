"""TrustedProxies: whose word counts on whom a request is from. Read from the settings, asked for each request.

Anybody can write `X-Forwarded-For`. Each proxy adds at its right end whom it was asked by, so that it is read from
there, and only as far as proxies vouch for it that the operator trusts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """None at first: then it is the socket's other end that asks, whatever it says."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Addresses and networks with commas between. Raises ValueError."""
        return cls(tuple(_network(each.strip()) for each in text.split(",") if each.strip()))

    def trusts(self, address: Address | None) -> bool:
        """Whether what it says of others is believed."""
        return address is not None and any(address in network for network in self.networks)

    def client(self, peer: Address | None, forwarded_for: Sequence[str]) -> Address | None:
        """Who asks: the nearest that isn't trusted, or the last that is where nothing sensible stands beyond it.

        `forwarded_for`: the values of each such header, in their order.
        """
        client = peer
        for entry in reversed(",".join(forwarded_for).split(",")):
            if not self.trusts(client):
                break
            before = parse_address(entry)
            if before is None:
                break
            client = before
        return client


def parse_address(text: str) -> Address | None:
    """An address, which may have a port or a zone, without them; None for whatever else it is."""
    return _parse_remembered(text) if len(text) <= _REMEMBERED_LENGTH else None


@lru_cache(maxsize=1_024)
def _parse_remembered(text: str) -> Address | None:
    """The same few ask again and again."""
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(text: str) -> IPv4Network | IPv6Network:
    """Raises ValueError."""
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text[:60]!r} is neither an address nor a network. Write those of your proxies, such as "
            "127.0.0.1, ::1, 10.0.4.0/24."
        ) from None


_REMEMBERED_LENGTH: Final = 100  # no address is longer, with all that may stand around it
