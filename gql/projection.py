"""Projection: from objects that a resolver has made, and what is selected of them, to the answer's JSON.

Used by the executor where a resolver returns `Projected`: long lists that aren't stored take a tenth of what they would
by fields that are resolved one by one. Connections in them are `Stored`, and read as documents in one statement.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from persistence.column_types import timestamp_text
from persistence.documents.selection import Selected, Selection


@dataclass(frozen=True, slots=True)
class Projected:
    """Objects of the schema's types, or one, or none: what stands for a field with all that is selected from it."""

    value: Any


def projected(value: Any) -> Any:
    """The same: for the type checker, anything at all."""
    return Projected(value)


@dataclass(frozen=True, slots=True)
class Stored:
    """A connection in them, which the resolver knows to be there."""

    connection_id: UUID


def stored(connection_id: UUID) -> Any:
    """The same: for the type checker, anything at all."""
    return Stored(connection_id)


@dataclass(slots=True)
class Places:
    """Where connections are to stand that are selected alike. `first` leads to the first of these places."""

    first: tuple[str | int, ...]
    waiting: dict[UUID, list[Callable[[Any], None]]] = field(default_factory=dict)


class Projection:
    """One projection. `places`: what `json` waits for."""

    def __init__(self, variables: Any) -> None:
        self._variables = variables
        self._places: dict[tuple[str, ...], Places] = {}

    @property
    def places(self) -> Iterator[Places]:
        return iter(self._places.values())

    def of(self, value: Any, selection: Selection, place: tuple[str | int, ...] = ()) -> Any:
        """The selected part of a value that stands at a place below the field, keyed as the client asked."""
        if isinstance(value, list):
            return [self.of(item, selection, (*place, number)) for number, item in enumerate(value)]
        if value is None or not selection:
            return value
        type_name = type(value).__name__
        found: dict[str, Any] = {}
        for each in selection[type_name]:
            member = type_name if each.name == "__typename" else self._member(value, each)
            if member.__class__ is Stored:
                self._wait(member, (*place, each.key)).append(_setter(found, each.key))
                found[each.key] = None
            elif each.below:
                found[each.key] = self.of(member, each.below, (*place, each.key))
            else:
                found[each.key] = member
        return found

    def _wait(self, connection: Stored, place: tuple[str | int, ...]) -> list[Callable[[Any], None]]:
        keys = tuple(key for key in place if isinstance(key, str))
        places = self._places.get(keys)
        if places is None:
            places = self._places[keys] = Places(place)
        return places.waiting.setdefault(connection.connection_id, [])

    def _member(self, value: Any, selected: Selected) -> Any:
        member = getattr(value, _python_name(selected.name))
        if not callable(member):
            return member
        given: Mapping[str, Any] = {} if selected.arguments is None else selected.arguments(self._variables)
        return member(**{_python_name(name): argument for name, argument in given.items()})


def json_of(value: Any) -> bytes:
    """JSON text of what was projected."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _setter(found: dict[str, Any], key: str) -> Callable[[Any], None]:
    return lambda member: found.__setitem__(key, member)


@cache
def _python_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _plain(value: object) -> str:
    """What orjson doesn't write by itself as the schema has it."""
    if isinstance(value, datetime):
        return timestamp_text(value)
    raise TypeError(f"{type(value).__name__} can't be projected")
