"""SettingsReader: reads one environment variable after the other and notes what is wrong, all of it.

Used by `settings.py` and `service_settings.py`. No problem repeats a value that may be secret.
"""

import difflib
import logging
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from domain.address_guard import AddressNotAllowed, OutboundAllow, is_host
from domain.secret import Secret

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=StrEnum)


class Switch(StrEnum):
    """Whether something is there at all."""

    ON = "on"
    OFF = "off"


class SettingsReader:
    """Goes on after a problem, with a value that nobody will see. A variable that is empty counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self._values = {name: value.strip() for name, value in environ.items() if name.startswith("TETHER_")}
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        """What it is set to."""
        return self._values.get(name) or None

    def optional(self, name: str, parse: Callable[[str], _T], default: str) -> _T:
        """What `parse` makes of it, or of the default; `parse` raises ValueError with words for the operator."""
        try:
            return parse(self._values.get(name) or default)
        except ValueError as wrong:
            self.problems.append(f"{name}: {wrong}")
            return parse(default)

    def one_of(self, name: str, words: type[_Word], default: _Word) -> _Word:
        """One of these words."""
        text = self.text(name)
        if text is None or text in set(words):
            return default if text is None else words(text)
        self.problems.append(f"{name}: Write {' or '.join(words)}, not {text[:40]!r}.")
        return default

    def days(self, name: str, default: int, *, at_least: int) -> int:
        """A number of days, ten years at most."""
        return self.whole_number(name, "days", default, range(at_least, _MOST_DAYS + 1))

    def whole_number(self, name: str, unit: str, default: int, possible: range) -> int:
        """A number of what the unit says, one of those that are possible."""
        words = f"Write a whole number of {unit} from {possible[0]} to {possible[-1]}."

        def parse(text: str) -> int:
            if not _NUMBER.fullmatch(text) or int(text) not in possible:
                raise ValueError(words)
            return int(text)

        return self.optional(name, parse, str(default))

    def secret(self, name: str, *, bytes_at_most: int = 1024) -> tuple[str, str | None]:
        """A secret from the variable itself, or from the file that `<name>_FILE` names.

        Gives the name of the variable that was read, and the text; None where there is none or it can't be read.
        """
        direct, file = self._values.get(name), self._values.get(f"{name}_FILE")
        if direct and file:
            self.problems.append(f"{name} and {name}_FILE are both set. Keep one and unset the other.")
        elif direct:
            return name, direct
        elif file:
            try:
                return f"{name}_FILE", _text_of_secret_file(Path(file), bytes_at_most)
            except ValueError as wrong:
                self.problems.append(f"{name}_FILE: {wrong}")
        return name, None

    def secrets(self, name: str) -> tuple[Secret, ...]:
        """Several, with commas between: while one is being replaced, the old and the new one."""
        _, text = self.secret(name)
        return tuple(Secret(each.strip()) for each in (text or "").split(",") if each.strip())

    def is_set(self, name: str) -> bool:
        """Whether it, or its file, is set, right or wrong."""
        return bool(self._values.get(name) or self._values.get(f"{name}_FILE"))

    def require_together(self, names: Sequence[str]) -> bool:
        """Whether all are set. Some without the others are a problem."""
        missing = [name for name in names if not self.is_set(name)]
        if missing and len(missing) < len(names):
            given = [name for name in names if name not in missing]
            self.problems.append(f"{_listed(given)} set, but {_listed(missing)} not: they belong together.")
        return not missing

    def service_url(self, name: str, default: str, allow: OutboundAllow) -> str:
        """The address of a service: https, except for hosts that the operator allows."""
        return self.optional(name, lambda text: service_url(text, allow), default)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """A variable that nobody reads is a mistyped one, which would leave its owner with a default."""
        for name, value in sorted(self._values.items()):
            if name in known or name.startswith("TETHER_TEST_") or _KUBERNETES.fullmatch(f"{name}={value}"):
                continue
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            self.problems.append(f"{name} is no setting of Tether. Did you mean {near[0]}?")


def _listed(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def absolute_url(text: str) -> SplitResult:
    """An address without user name, query and fragment. Raises ValueError, which doesn't repeat it."""
    try:
        url = urlsplit(text.rstrip("/"))
        names_host = is_host(url.hostname or "") and "@" not in url.netloc and url.port != 0
    except ValueError:
        raise ValueError(_URL_FORM) from None
    if not (names_host and url.scheme in {"http", "https"} and _URL_CHARACTERS.fullmatch(text)):
        raise ValueError(_URL_FORM)
    return url


def service_url(text: str, allow: OutboundAllow) -> str:
    """The address of a service, without a slash at its end. Raises ValueError."""
    url = absolute_url(text)
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


def _text_of_secret_file(file: Path, bytes_at_most: int) -> str:
    """Raises ValueError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(bytes_at_most + 1)
            mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as failed:
        raise ValueError(f"The file {file} can't be read: {failed.strerror}.") from None
    if len(content) > bytes_at_most or not content.isascii():
        raise ValueError(f"The file {file} doesn't hold a key.")
    if mode & stat.S_IROTH:
        _log.warning("Everybody on this machine can read the secret in %s. Run: chmod o-rwx %s", file, file)
    return content.decode("ascii").strip()


LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""How addresses call this machine itself."""
_MOST_DAYS: Final = 3_650
_NUMBER: Final = re.compile("[0-9]{1,9}")
_log: Final = logging.getLogger(__name__)
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
