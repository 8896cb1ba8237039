"""The kinds of field that hold many values: lists of texts, texts by names, lists of objects.

Used by the services where they declare commands' arguments and their results.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.entities.health import Json
from domain.services.fields import Text
from domain.services.form import Field, FormProblem, object_problems, object_schema


@dataclass(frozen=True, slots=True)
class TextList:
    """A list of texts, each once and each as `item` says."""

    key: str
    description: str
    item: Text
    max_items: int
    required: bool = False

    def schema(self) -> dict[str, Json]:
        return {
            "description": self.description,
            "type": "array",
            "items": self.item.schema(),
            "maxItems": self.max_items,
            "uniqueItems": True,
        }

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if not isinstance(value, list):
            yield FormProblem((self.key,), f"{self.key} is a list of texts, such as [{self.item.example!r}].")
            return
        if len(value) > self.max_items:
            yield FormProblem((self.key,), f"{self.key} has at most {self.max_items} items; this has {len(value)}.")
            return
        seen: set[str] = set()
        for index, each in enumerate(value):
            path = (self.key, str(index))
            for problem in self.item.problems(each):
                yield FormProblem(path, problem.message)
            if isinstance(each, str):
                if each in seen:
                    yield FormProblem(path, f"{self.key} holds this twice.")
                seen.add(each)

    def read(self, values: Mapping[str, Json]) -> list[str]:
        value = values.get(self.key)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class TextMap:
    """Texts by names that whoever fills it in may choose, both as `name` and `value` say."""

    key: str
    description: str
    name: Text
    value: Text
    max_items: int
    required: bool = False

    def schema(self) -> dict[str, Json]:
        return {
            "description": self.description,
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name.pattern})$", "maxLength": self.name.max_length},
            "additionalProperties": self.value.schema(),
            "maxProperties": self.max_items,
            "examples": [{self.name.example: self.value.example}],
        }

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if not isinstance(value, dict):
            example = f'{{"{self.name.example}": "{self.value.example}"}}'
            yield FormProblem((self.key,), f"{self.key} is an object of texts, such as {example}.")
            return
        if len(value) > self.max_items:
            yield FormProblem((self.key,), f"{self.key} has at most {self.max_items} entries; this has {len(value)}.")
            return
        for name, each in value.items():
            for problem in (*self.name.problems(name), *self.value.problems(each)):
                yield FormProblem((self.key, name), problem.message)

    def read(self, values: Mapping[str, Json]) -> dict[str, str]:
        value = values.get(self.key)
        named = value.items() if isinstance(value, dict) else ()
        return {name: each for name, each in named if isinstance(each, str)}


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list of objects that have the same fields: what a command finds."""

    key: str
    description: str
    fields: Sequence[Field]
    max_items: int
    required: bool = True

    def schema(self) -> dict[str, Json]:
        return {
            "description": self.description,
            "type": "array",
            "items": object_schema(self.fields),
            "maxItems": self.max_items,
        }

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if not isinstance(value, list) or len(value) > self.max_items:
            yield FormProblem((self.key,), f"{self.key} is a list of at most {self.max_items} objects.")
            return
        for index, each in enumerate(value):
            path = (self.key, str(index))
            if isinstance(each, dict):
                yield from object_problems(each, self.fields, self.key, "field", path)
            else:
                yield FormProblem(path, f"{self.key} holds something that is no object.")
