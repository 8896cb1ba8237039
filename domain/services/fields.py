"""The simple kinds of field that forms are made of: texts, numbers and choices. Lists of them are in `field_lists.py`.

Used by the services where they declare settings, commands' arguments and their results. `read` is for values in which
the form has found no problem; it gives the default where there is none.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.entities.health import Json
from domain.entities.text import has_visible_character
from domain.services.form import FormProblem


@dataclass(frozen=True, slots=True)
class Text:
    """A text that can be sent and seen. `pattern` is what the whole of it has to match, said in `form` for people.

    `lines`: it may have several; `blank`: it may be empty.
    """

    key: str
    description: str
    example: str
    required: bool = False
    max_length: int = 255
    pattern: str | None = None
    form: str = ""
    lines: bool = False
    blank: bool = False

    def schema(self) -> dict[str, Json]:
        pattern: dict[str, Json] = {} if self.pattern is None else {"pattern": f"^(?:{self.pattern})$"}
        return {
            "description": self.description,
            "type": "string",
            "minLength": 0 if self.blank else 1,
            "maxLength": self.max_length,
            **pattern,
            "examples": [self.example],
        }

    def problems(self, value: Json) -> Iterator[FormProblem]:
        message = self._problem(value)
        if message is not None:
            yield FormProblem((self.key,), message)

    def read(self, values: Mapping[str, Json]) -> str:
        value = values.get(self.key)
        return value if isinstance(value, str) else ""

    def _problem(self, value: Json) -> str | None:
        if not isinstance(value, str):
            return f"{self.key} is a text, such as {self.example!r}."
        if len(value) > self.max_length:
            return f"{self.key} has at most {self.max_length:,} characters; this has {len(value):,}."
        if not self.blank and not has_visible_character(value):
            return f"{self.key} is empty: there is nothing in it that can be seen."
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f"{self.key} is {self.form}, such as {self.example!r}."
        if not is_sendable(value, lines=self.lines):
            where = "a control character or half of one" if self.lines else "a line break or another control character"
            return f"{self.key} holds {where}, which can't be sent."
        return None


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number between two bounds, both included."""

    key: str
    description: str
    minimum: int
    maximum: int
    default: int | None = None
    required: bool = False
    example: int | None = None

    def schema(self) -> dict[str, Json]:
        shown = self._shown
        return {
            "description": self.description,
            "type": "integer",
            "minimum": self.minimum,
            "maximum": self.maximum,
            **({} if self.default is None else {"default": self.default}),
            "examples": [shown],
        }

    def problems(self, value: Json) -> Iterator[FormProblem]:
        # A bool is an int to Python, not to JSON. JSON Schema takes 7.0 for an integer; Python's check wouldn't.
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        if not whole or not self.minimum <= _number(value) <= self.maximum:
            message = f"{self.key} is a whole number from {self.minimum} to {self.maximum}."
            yield FormProblem((self.key,), message)

    def read(self, values: Mapping[str, Json]) -> int:
        """The number in these values; the default where there is none or it can't be used."""
        value = values.get(self.key)
        return self._shown if any(self.problems(value)) else int(_number(value))

    @property
    def _shown(self) -> int:
        return next(each for each in (self.default, self.example, self.minimum) if each is not None)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    key: str
    description: str
    default: bool = False
    required: bool = False

    def schema(self) -> dict[str, Json]:
        default: dict[str, Json] = {} if self.required else {"default": self.default}
        return {"description": self.description, "type": "boolean", **default}

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if not isinstance(value, bool):
            yield FormProblem((self.key,), f"{self.key} is true or false.")

    def read(self, values: Mapping[str, Json]) -> bool:
        value = values.get(self.key)
        return value if isinstance(value, bool) else self.default


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; the first is the default."""

    key: str
    description: str
    options: Sequence[str]
    required: bool = False

    def schema(self) -> dict[str, Json]:
        default: dict[str, Json] = {} if self.required else {"default": self.options[0]}
        return {"description": self.description, "type": "string", "enum": list[Json](self.options), **default}

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if value not in self.options:
            yield FormProblem((self.key,), f"{self.key} is one of {', '.join(self.options)}.")

    def read(self, values: Mapping[str, Json]) -> str:
        value = values.get(self.key)
        return value if isinstance(value, str) else self.options[0]


def is_sendable(text: str, *, lines: bool) -> bool:
    """Whether every program takes it for text: no lone surrogates, no control characters but for lines and tabs."""
    allowed = "\n\r\t" if lines else ""
    return all(each in allowed or unicodedata.category(each) not in {"Cc", "Cs"} for each in text)


def _number(value: Json) -> float:
    return value if isinstance(value, int | float) else 0
