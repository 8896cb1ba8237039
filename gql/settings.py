"""Settings: everything an operator can set, read once from the environment and checked before anything is opened.

Called by the command line. `SettingsError` tells all that is wrong at once, each problem with its variable's name.
"""

import difflib
import logging
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from domain.address_guard import AddressNotAllowed, OutboundAllow, is_host
from domain.key_ring import EncryptionKey, parse_key
from gql.operator_error import OperatorError
from persistence.database_url import parse_database_url

KNOWN: Final = (
    "TETHER_ENVIRONMENT",
    "TETHER_DATABASE_URL",
    "TETHER_ENCRYPTION_KEY",
    "TETHER_ENCRYPTION_KEY_FILE",
    "TETHER_PUBLIC_URL",
    "TETHER_GITHUB_URL",
    "TETHER_GITHUB_API_URL",
    "TETHER_SLACK_URL",
    "TETHER_SLACK_API_URL",
    "TETHER_OUTBOUND_ALLOW",
)
"""Every variable that Tether reads."""


class Environment(StrEnum):
    """Development may offer a sample organization and sign GraphiQL in; production does neither."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(OperatorError):
    """Some variables can't be used. No problem repeats what may be secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. URLs end without a slash; the database's may hold a password."""

    environment: Environment
    database_url: str = field(repr=False)
    encryption_key: EncryptionKey
    public_url: str
    github_url: str
    github_api_url: str
    slack_url: str
    slack_api_url: str
    outbound_allow: OutboundAllow

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError. A variable that is empty counts as not set."""
        read = _Reader(environ)
        environment = read.environment()
        production = environment is Environment.PRODUCTION
        allow = read.optional("TETHER_OUTBOUND_ALLOW", OutboundAllow.parse, "")
        settings = cls(
            environment=environment,
            database_url=read.database_url(),
            encryption_key=read.encryption_key(production),
            public_url=read.public_url(production),
            github_url=read.service_url("TETHER_GITHUB_URL", "https://github.com", allow),
            github_api_url=read.service_url("TETHER_GITHUB_API_URL", "https://api.github.com", allow),
            slack_url=read.service_url("TETHER_SLACK_URL", "https://slack.com", allow),
            slack_api_url=read.service_url("TETHER_SLACK_API_URL", "https://slack.com/api", allow),
            outbound_allow=allow,
        )
        read.refuse_unknown()
        if read.problems:
            raise SettingsError(*read.problems)
        return settings


_T = TypeVar("_T")


class _Reader:
    """Reads one variable after the other and notes what is wrong, going on with a value that nobody will see."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._values = {name: value.strip() for name, value in environ.items() if name.startswith("TETHER_")}
        self.problems: list[str] = []

    def optional(self, name: str, parse: Callable[[str], _T], default: str) -> _T:
        try:
            return parse(self._values.get(name) or default)
        except ValueError as wrong:
            self.problems.append(f"{name}: {wrong}")
            return parse(default)

    def environment(self) -> Environment:
        text = self._values.get("TETHER_ENVIRONMENT") or Environment.PRODUCTION
        if text in set(Environment):
            return Environment(text)
        self.problems.append(f"TETHER_ENVIRONMENT: Write development or production, not {text[:40]!r}.")
        return Environment.DEVELOPMENT  # asks for less, so that one mistake isn't told as two

    def database_url(self) -> str:
        text = self._values.get("TETHER_DATABASE_URL", "")
        if not text:
            self.problems.append(
                "TETHER_DATABASE_URL isn't set. Write sqlite+aiosqlite:///path/to/file "
                "or postgresql+asyncpg://user:password@host/database."
            )
            return ""
        try:
            parse_database_url(text)
        except ValueError as wrong:
            self.problems.append(f"TETHER_DATABASE_URL: {wrong}")
        return text

    def encryption_key(self, production: bool) -> EncryptionKey:
        name, text = self._key_text()
        if text is not None:
            try:
                key = parse_key(text)
            except ValueError as wrong:
                self.problems.append(f"{name}: {wrong} `tether keys generate` makes one.")
            else:
                if not (key.development and production):
                    return key
                self.problems.append(
                    f"{name}: This key was made for development, which production refuses. "
                    "Make another one with `tether keys generate`."
                )
        return EncryptionKey(b"", development=True)

    def _key_text(self) -> tuple[str, str | None]:
        """The variable that gives the key, and the key's text; None after a problem."""
        key = self._values.get("TETHER_ENCRYPTION_KEY")
        file = self._values.get("TETHER_ENCRYPTION_KEY_FILE")
        if key and file:
            self.problems.append(
                "TETHER_ENCRYPTION_KEY and TETHER_ENCRYPTION_KEY_FILE are both set. Keep one and unset the other."
            )
        elif key:
            return "TETHER_ENCRYPTION_KEY", key
        elif file:
            try:
                return "TETHER_ENCRYPTION_KEY_FILE", _text_of_key_file(Path(file))
            except ValueError as wrong:
                self.problems.append(f"TETHER_ENCRYPTION_KEY_FILE: {wrong}")
        else:
            self.problems.append(
                "TETHER_ENCRYPTION_KEY or TETHER_ENCRYPTION_KEY_FILE has to be set. `tether keys generate` makes a "
                "key: keep it safe, since nothing else opens the stored credentials."
            )
        return "", None

    def public_url(self, production: bool) -> str:
        if production and not self._values.get("TETHER_PUBLIC_URL"):
            self.problems.append(
                "TETHER_PUBLIC_URL isn't set. Write the address at which people reach this server, "
                "such as https://tether.example.com."
            )
            return ""
        return self.optional("TETHER_PUBLIC_URL", lambda text: _public_url(text, production), "http://127.0.0.1:8000")

    def service_url(self, name: str, default: str, allow: OutboundAllow) -> str:
        return self.optional(name, lambda text: _service_url(text, allow), default)

    def refuse_unknown(self) -> None:
        """A variable that nobody reads is a mistyped one, which would leave its owner with a default."""
        for name, value in sorted(self._values.items()):
            if name in KNOWN or name.startswith("TETHER_TEST_") or _KUBERNETES.fullmatch(f"{name}={value}"):
                continue
            near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0)
            self.problems.append(f"{name} is no setting of Tether. Did you mean {near[0]}?")


def _text_of_key_file(file: Path) -> str:
    """Raises ValueError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_KEY_FILE_BYTES + 1)
            mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as failed:
        raise ValueError(f"The file {file} can't be read: {failed.strerror}.") from None
    if len(content) > _KEY_FILE_BYTES or not content.isascii():
        raise ValueError(f"The file {file} doesn't hold a key.")
    if mode & stat.S_IROTH:
        _log.warning("Everybody on this machine can read the encryption key in %s. Run: chmod o-rwx %s", file, file)
    return content.decode("ascii")


def _url(text: str) -> SplitResult:
    """An absolute address. Raises ValueError, which doesn't repeat it."""
    try:
        url = urlsplit(text.rstrip("/"))
        names_host = is_host(url.hostname or "") and "@" not in url.netloc and url.port != 0
    except ValueError:
        raise ValueError(_URL_FORM) from None
    if not (names_host and url.scheme in {"http", "https"} and _URL_CHARACTERS.fullmatch(text)):
        raise ValueError(_URL_FORM)
    return url


def _public_url(text: str, production: bool) -> str:
    url = _url(text)
    if production and url.scheme != "https" and url.hostname not in _LOOPBACK:
        raise ValueError("Write https://…: in production, http:// is only for this machine itself (http://127.0.0.1).")
    return url.geturl()


def _service_url(text: str, allow: OutboundAllow) -> str:
    url = _url(text)
    try:
        allowed_without_tls = allow.names(url.hostname or "")
    except AddressNotAllowed as refused:
        raise ValueError(f"{refused}.") from None
    if url.scheme != "https" and not allowed_without_tls:
        raise ValueError(
            "Write https://…: http:// is only for hosts that TETHER_OUTBOUND_ALLOW names, since others could read "
            "the credentials."
        )
    return url.geturl()


_log: Final = logging.getLogger(__name__)
_KEY_FILE_BYTES: Final = 1024
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_URL_FORM: Final = (
    "Write an address such as https://host.example.com/path, with neither user name nor query nor fragment."
)
_URL_CHARACTERS: Final = re.compile(r"(?:(?![?#\\])[!-~])+")
# In a namespace with a service called "tether", Kubernetes sets these in every pod.
_KUBERNETES: Final = re.compile(
    r"TETHER_SERVICE_(HOST|PORT(_\w+)?)=.*"
    r"|TETHER_PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
    r"|TETHER_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*"
)
