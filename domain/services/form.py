"""Forms: named, typed values with limits, declared once. The JSON Schema for clients and the check of what they send.

A connection's settings are one, and so are a command's arguments and its result. What a form finds no problem in is
valid to its schema, too; a form may be stricter where a schema can't say it. The kinds of field are in `fields.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from domain.entities.health import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class FormProblem:
    """One thing that is wrong with what was filled in; `path` leads to it from the form's root."""

    path: tuple[str, ...]
    message: str


class Field(Protocol):
    """One key of a form."""

    @property
    def key(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def required(self) -> bool: ...

    def schema(self) -> dict[str, Json]:
        """Its JSON Schema."""

    def problems(self, value: Json) -> Iterator[FormProblem]:
        """What is wrong with this value, looked for one by one: it may be long."""


@dataclass(frozen=True, slots=True)
class Form:
    """All the fields that `owner` knows; `noun` is what people call one of them, such as "setting"."""

    title: str
    owner: str
    noun: str
    fields: Sequence[Field]

    def schema(self) -> dict[str, Json]:
        """JSON Schema, draft 2020-12."""
        return {"$schema": DIALECT, "title": self.title, **object_schema(self.fields)}

    def problems(self, value: Json | Mapping[str, Json]) -> Iterator[FormProblem]:
        """All that is wrong, unknown keys first and missing ones last; each with the path to it."""
        if not isinstance(value, Mapping):
            yield FormProblem((), f"The {self.noun}s are an object, such as {{}}.")
            return
        yield from object_problems(value, self.fields, self.owner, self.noun)


def object_schema(fields: Sequence[Field]) -> dict[str, Json]:
    """The JSON Schema of an object with these fields and no others."""
    required: list[Json] = [field.key for field in fields if field.required]
    return {
        "type": "object",
        "properties": {field.key: field.schema() for field in fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def object_problems(
    value: Mapping[str, Json], fields: Sequence[Field], owner: str, noun: str, path: tuple[str, ...] = ()
) -> Iterator[FormProblem]:
    """What is wrong with an object that should have these fields and no others."""
    known = {field.key: field for field in fields}
    for key in value:
        if key not in known:
            names = f"It knows: {', '.join(known)}." if known else "It knows none."
            yield FormProblem((*path, key), f"{owner} has no {noun} {quoted(key)}. {names}")
    for key, field in known.items():
        if key in value:
            for problem in field.problems(value[key]):
                yield FormProblem((*path, *problem.path), problem.message)
        elif field.required:
            yield FormProblem((*path, key), f"{key} is missing: {field.description}")


def quoted(text: str) -> str:
    """Somebody's text in a sentence of ours: on one line, and not much of it."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
