"""A JSON object read key by key: keeps every mistake, knows the keys nobody asked for. Used by token_settings.py."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

Choice = TypeVar("Choice", bound=StrEnum)

LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Problem:
    key: str
    problem: str


class JsonReader:
    """Each reader takes a key's value, or the default where the key is absent or its value is wrong."""

    def __init__(self, document: object, path: str = "") -> None:
        self._path = path
        self._problems: list[Problem] = []
        self._parts: list[JsonReader] = []
        self._unread: dict[str, object] = {}
        if isinstance(document, dict):
            self._unread = dict(document)
        else:
            self._problems.append(Problem(path, "must be a JSON object"))

    def problems(self) -> list[Problem]:
        """All that is wrong in what was read, and every key that was not."""
        unknown = [Problem(self._key(key), "unknown key") for key in sorted(self._unread)]
        return self._problems + unknown + [problem for part in self._parts for problem in part.problems()]

    def complain(self, key: str, problem: str) -> None:
        self._problems.append(Problem(self._key(key), problem))

    def has(self, key: str) -> bool:
        return key in self._unread

    def document(self, key: str) -> dict[str, object]:
        """A JSON object as it is."""
        value = self._unread.pop(key, {})
        if isinstance(value, dict):
            return value
        self.complain(key, "must be a JSON object")
        return {}

    def text(self, key: str, default: str) -> str:
        value = self._unread.pop(key, default)
        if isinstance(value, str) and value:
            return value
        self.complain(key, "must be a string, not empty")
        return default

    def text_or_null(self, key: str) -> str | None:
        if self._unread.get(key) is None:
            self._unread.pop(key, None)
            return None
        return self.text(key, "") or None

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self._unread.pop(key, default)
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.complain(key, "must be a list of strings")
        return default

    def texts_by_name(self, key: str, default: dict[str, str]) -> dict[str, str]:
        value = self._unread.pop(key, default)
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return dict(value)
        self.complain(key, "must be an object of strings")
        return default

    def texts_or_null(self, key: str, default: tuple[str, ...] | None) -> tuple[str, ...] | None:
        value = self._unread.pop(key, default)
        if value is None:
            return None
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.complain(key, "must be a list of strings, or null")
        return default

    def flag(self, key: str, default: bool) -> bool:
        value = self._unread.pop(key, default)
        if isinstance(value, bool):
            return value
        self.complain(key, "must be true or false")
        return default

    def integer(self, key: str, default: int, minimum: int = 0) -> int:
        value = self._unread.pop(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= LARGEST_NUMBER:
            return value
        self.complain(key, f"must be an integer from {minimum}")
        return default

    def integer_or_null(self, key: str) -> int | None:
        if self._unread.get(key) is None:
            self._unread.pop(key, None)
            return None
        return self.integer(key, 0)

    def integer_or(self, key: str, default: int | None) -> int | None:
        """Null is a value too, unlike a key that is absent."""
        return self.integer_or_null(key) if self.has(key) else default

    def number(self, key: str, default: float) -> float:
        value = self._unread.pop(key, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            return float(value)
        self.complain(key, "must be a number from 0")
        return default

    def choice(self, key: str, choices: Iterable[Choice], default: Choice | None) -> Choice | None:
        value = self._unread.pop(key, default)
        for each in choices:
            if value == each:
                return each
        self.complain(key, f"must be one of {', '.join(choices)}")
        return default

    def moment_or_null(self, key: str) -> datetime | None:
        value = self._unread.pop(key, None)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.complain(key, "must be a moment with its offset, as 2026-12-01T10:00:00Z, or null")
            return None
        return moment.astimezone(UTC)

    def part(self, key: str) -> "JsonReader":
        """The object under that key; an empty one where it is absent."""
        return self._reader_of(self._unread.pop(key, {}), self._key(key))

    def parts(self, key: str) -> "list[JsonReader]":
        value = self._unread.pop(key, [])
        if not isinstance(value, list):
            self.complain(key, "must be a list of objects")
            return []
        return [self._reader_of(each, f"{self._key(key)}[{index}]") for index, each in enumerate(value)]

    def _reader_of(self, document: object, path: str) -> "JsonReader":
        reader = JsonReader(document, path)
        self._parts.append(reader)
        return reader

    def _key(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key
