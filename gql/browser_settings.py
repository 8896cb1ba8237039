"""What an operator says of browsers: whether queries go by GET, and which other origins' pages may ask. Read by
`settings.py`.
"""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from gql.settings_reader import LOOPBACK, SettingsReader, Switch, absolute_url

BROWSER_VARIABLES: Final = ("TETHER_GET_QUERIES", "TETHER_CORS_ORIGINS")


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """`cors_origins`: as browsers write them in the header Origin."""

    get_queries: Switch
    cors_origins: tuple[str, ...]

    @classmethod
    def read(cls, reader: SettingsReader, *, production: bool) -> Self:
        """Notes what is wrong with the reader."""
        return cls(
            get_queries=reader.one_of("TETHER_GET_QUERIES", Switch, Switch.OFF),
            cors_origins=reader.optional("TETHER_CORS_ORIGINS", lambda text: _origins(text, production), ""),
        )


def origin_of(address: str) -> str:
    """An address' origin as browsers write it: in small letters, and without the port that is usual for the scheme."""
    url = urlsplit(address)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    usual = url.port in {None, {"http": 80, "https": 443}[url.scheme]}
    return f"{url.scheme}://{host}" if usual else f"{url.scheme}://{host}:{url.port}"


def _origins(text: str, production: bool) -> tuple[str, ...]:
    """Origins with commas between. Raises ValueError."""
    return tuple(dict.fromkeys(_origin(each.strip(), production) for each in text.split(",") if each.strip()))


def _origin(text: str, production: bool) -> str:
    """An origin, exactly as a browser sends it, since that is how it is compared. Raises ValueError."""
    if text == "*":
        raise ValueError("Name each origin: * would let every page ask.")
    url = absolute_url(text)
    if url.path:
        raise ValueError(f"Write origins alone, such as https://app.example.com, without the path in {text[:80]}.")
    if production and url.scheme != "https" and url.hostname not in LOOPBACK:
        raise ValueError(f"Write https://…: in production, {text[:80]} could be anybody's page on the way.")
    written = origin_of(text)
    if text != written:
        raise ValueError(f"Write {written}, as browsers do, not {text[:80]}.")
    return written
