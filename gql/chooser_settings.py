"""ChooserEndpoint: where the operator's language model is asked which command a text asks for. A part of `Settings`."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, Self
from urllib.parse import urlsplit

from domain.address_guard import OutboundAllow
from domain.secret import Secret
from gql.settings_reader import LOOPBACK, SettingsReader, absolute_url, service_url

_URL: Final = "TETHER_COMMAND_CHOOSER_URL"
_TOKEN: Final = "TETHER_COMMAND_CHOOSER_TOKEN"  # noqa: S105 - the name of a variable
CHOOSER_VARIABLES: Final = (_URL, _TOKEN, f"{_TOKEN}_FILE")


@dataclass(frozen=True, slots=True)
class ChooserEndpoint:
    """`allow`: its own host and nothing else, wherever that is: the operator has named it."""

    url: str
    token: Secret | None
    allow: OutboundAllow

    @classmethod
    def read(cls, reader: SettingsReader, allow: OutboundAllow) -> Self | None:
        """None where no endpoint is set."""
        name, token = reader.secret(_TOKEN)
        if token is not None and not (token.isascii() and token.isprintable()):
            reader.problems.append(f"{name}: It is sent in a header, so write it in ASCII without control characters.")
        if reader.text(_URL) is None:
            if token is not None:
                reader.problems.append(f"{name} is set, but {_URL} not: they belong together.")
            return None
        url = reader.optional(_URL, lambda text: _endpoint_url(text, allow), "https://chooser.invalid")
        return cls(url, None if token is None else Secret(token), _only(urlsplit(url).hostname or ""))


def _endpoint_url(text: str, allow: OutboundAllow) -> str:
    """https, except for this machine itself and hosts that the operator allows. Raises ValueError."""
    url = absolute_url(text)
    return url.geturl() if url.hostname in LOOPBACK else service_url(text, allow)


def _only(host: str) -> OutboundAllow:
    """The host, by name or as an address."""
    try:
        return OutboundAllow(networks=(ip_network(ip_address(host)),))
    except ValueError:
        return OutboundAllow(hosts=frozenset({host}))
