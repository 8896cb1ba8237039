"""The client of a request: who is at the other end, and behind the proxies that the operator trusts.

Used by RequestFrame, for requests and sockets alike, before anything else looks at them, and where strangers are
counted.
"""

from ipaddress import IPv6Address, ip_network
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gql.trusted_proxies import TrustedProxies, parse_address


def place_client(scope: Scope, proxies: TrustedProxies) -> str | None:
    """Put into the scope who asks, and by which scheme; the address as text, None where it has none.

    Who asks for others without being trusted is no client: nobody takes such a request for one from this machine. Its
    address is all that is known of it, and is what is given.
    """
    peer, headers = scope.get("client"), scope["headers"]
    peer_address = None if peer is None else parse_address(peer[0])
    if proxies.trusts(peer_address):
        forwarded_for = [str(value, "latin-1") for name, value in headers if name == b"x-forwarded-for"]
        client = proxies.client(peer_address, forwarded_for)
        if client != peer_address:
            scope["client"] = (str(client), 0)
        _take_scheme(scope)
        return str(client)
    if any(name in _FORWARDED for name, _ in headers):
        scope["client"] = None
    return None if peer_address is None else str(peer_address)


def client_network(connection: HTTPConnection) -> str:
    """The address, of IPv6 the network, of which its holder has all addresses; empty behind a proxy of no trust."""
    address = None if connection.client is None else parse_address(connection.client.host)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return "" if address is None else str(address)


def _take_scheme(scope: Scope) -> None:
    """The one by which the client came to the proxy."""
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    scheme = _SCHEMES.get(said[-1].strip().lower()) if said else None
    if scheme is not None:
        scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme


_FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
