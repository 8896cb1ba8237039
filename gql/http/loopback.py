"""Whether a request comes from this very machine. Asked by whatever is for its developers or operators alone."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "::1"}
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def is_loopback(connection: HTTPConnection) -> bool:
    """Whether both ends are this machine, and were meant to be: a foreign name that leads here is somebody's trick.

    A proxy on this machine asks for others, so that nothing that came through one counts. Without any settings nginx
    adds no header and calls us by our own name, but asks by HTTP/1.0, as no browser and no Prometheus does.
    """
    client = connection.client
    if client is None or connection.scope.get("http_version") == "1.0":
        return False
    if any(name in connection.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname
        return host in LOOPBACK_NAMES and ip_address(client.host).is_loopback
    except ValueError:
        return False
