"""TableReader: a TOML table read key by key, which keeps every mistake with its place. Used by description_reader.py.

No mistake repeats a value: an operator may have put a secret where something else belongs.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn
from urllib.parse import urlsplit

from domain.address_guard import AddressNotAllowed, OutboundAllow, is_host
from domain.entities.text import has_visible_character


class TableReader:
    """Each method takes a key's value. Where it is wrong, it notes the mistake and gives what nobody will use."""

    def __init__(self, place: str, table: Mapping[str, object], mistakes: list[str]) -> None:
        """`place` is empty for the whole file."""
        self._place = place
        self._table = table
        self._mistakes = mistakes
        self._asked: list[str] = []

    def text(self, key: str) -> str:
        """A text that has to be there."""
        return self._required(key, self.optional_text(key))

    def optional_text(self, key: str) -> str | None:
        value = self._value(key)
        if value is None or (isinstance(value, str) and has_visible_character(value)):
            return value
        self.complain(key, "has to be a text, and not empty.")
        return None

    def flag(self, key: str, default: bool) -> bool:
        value = self._value(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.complain(key, "has to be true or false.")
        return default

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self._value(key)
        if value is None or value in choices:
            return value if isinstance(value, str) else default
        named = ", ".join(f'"{each}"' for each in choices)
        self.complain(key, f"has to be one of: {named}.")
        return default

    def address(self, key: str, allow: OutboundAllow, *, query: bool = False) -> str:
        """An absolute address that has to be there; `query`: it may have one."""
        return self._required(key, self.optional_address(key, allow, query=query))

    def optional_address(self, key: str, allow: OutboundAllow, *, query: bool = False) -> str | None:
        text = self.optional_text(key)
        try:
            return None if text is None else _address(text, allow, query)
        except ValueError as wrong:
            self.complain(key, str(wrong))
            return _UNUSED

    def path(self, key: str) -> str | None:
        """Keys with dots between."""
        text = self.optional_text(key)
        if text is None or _PATH.fullmatch(text):
            return text
        self.complain(key, "has to be keys with dots between, such as data.viewer.id.")
        return None

    def table(self, key: str) -> "TableReader":
        """The table under that key; an empty one where there is none."""
        value = self._value(key)
        return self._reader(key, {} if value is None else value) or TableReader(self._at(key), {}, self._mistakes)

    def tables(self, key: str) -> "Iterator[TableReader]":
        """The tables in the list under that key."""
        value = self._value(key)
        if value is not None and not isinstance(value, list):
            self.complain(key, "has to be a list of tables, such as [{ name = …, description = … }].")
            return
        for index, each in enumerate(value or []):
            if (reader := self._reader(f"{key}[{index}]", each)) is not None:
                yield reader

    def entries(self) -> "Iterator[tuple[str, TableReader]]":
        """Every key and the table under it."""
        for key, value in self._table.items():
            if (reader := self._reader(key, value)) is not None:
                yield key, reader

    def has(self, key: str) -> bool:
        return key in self._table

    def refuse(self, mistake: str) -> None:
        """Note what is wrong with the table itself."""
        self._mistakes.append(f"{self._place}: {mistake}")

    def complain(self, key: str, mistake: str) -> None:
        self._mistakes.append(f"{self._at(key)}: {mistake}")

    def refuse_unknown(self) -> None:
        """Note every key that wasn't asked for: it is a mistyped one."""
        for key in self._table:
            if key not in self._asked:
                [near] = difflib.get_close_matches(key, self._asked, n=1, cutoff=0)
                self.complain(key, f"is no key that is known here. Did you mean {near}?")

    def _reader(self, key: str, value: object) -> "TableReader | None":
        if isinstance(value, dict):
            return TableReader(self._at(key), value, self._mistakes)
        self.complain(key, "has to be a table.")
        return None

    def _at(self, key: str) -> str:
        shown = key if len(key) <= _SHOWN_LENGTH else f"{key[:_SHOWN_LENGTH]}…"
        shown = shown if _PRINTABLE.fullmatch(shown) else repr(shown)
        return f"{self._place}.{shown}" if self._place else shown

    def _value(self, key: str) -> object:
        self._asked.append(key)
        return self._table.get(key)

    def _required(self, key: str, value: str | None) -> str:
        if value is None and not self.has(key):
            self.complain(key, "is missing.")
        return value or _UNUSED


def _address(text: str, allow: OutboundAllow, query: bool) -> str:
    """Raises ValueError."""
    try:
        url = urlsplit(text)
        usable = is_host(url.hostname or "") and "@" not in url.netloc and url.port != 0
        without_tls = url.scheme == "http" and allow.names(url.hostname or "")
    except AddressNotAllowed:
        raise ValueError("names its host by an unusual spelling of an address.") from None
    except ValueError:
        _refuse_form()
    if not (usable and _PRINTABLE.fullmatch(text)) or url.scheme not in {"http", "https"}:
        _refuse_form()
    if "#" in text or ("?" in text and not query):
        raise ValueError("may have no fragment." if query else "may have neither a query nor a fragment.")
    if url.scheme != "https" and not without_tls:
        raise ValueError("has to be https://…: http:// is only for hosts that TETHER_OUTBOUND_ALLOW names.")
    return text


def _refuse_form() -> NoReturn:
    raise ValueError("has to be an address such as https://host.example.com/path, without a user name.")


_UNUSED: Final = ""
_SHOWN_LENGTH: Final = 60
_PATH: Final = re.compile(r"[^.\s]{1,64}(\.[^.\s]{1,64}){0,9}")
_PRINTABLE: Final = re.compile(r"[!-~]{1,2048}")
