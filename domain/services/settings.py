"""A connection's settings, declared once: the JSON Schema for clients and the check of what they send come from it.

Used by the services to declare what they know, by ServiceConnectionManager, and by `domain/health_probes.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from domain.entities.health import Json
from domain.errors import InvalidInput
from domain.services.base import Service, ServiceScope, SettingsProblem


class Setting(Protocol):
    """One key of the settings."""

    @property
    def key(self) -> str: ...

    def schema(self) -> dict[str, Json]:
        """Its JSON Schema."""

    def problems(self, value: Json) -> Iterator[SettingsProblem]:
        """What is wrong with this value, looked for one by one: it may be long."""


@dataclass(frozen=True, slots=True)
class ScopeList:
    """A list of scopes that the service knows, each once."""

    key: str
    description: str
    service_name: str
    scopes: Sequence[ServiceScope]

    def schema(self) -> dict[str, Json]:
        names: list[Json] = [scope.name for scope in self.scopes]
        default = list[Json](self.default)
        return {
            "description": self.description,
            "type": "array",
            "items": {"type": "string", "enum": names},
            "uniqueItems": True,
            "default": default,
            "examples": [default],
        }

    @property
    def default(self) -> tuple[str, ...]:
        return tuple(scope.name for scope in self.scopes if scope.required)

    def problems(self, value: Json) -> Iterator[SettingsProblem]:
        if not isinstance(value, list):
            example = ", ".join(f'"{name}"' for name in self.default)
            yield SettingsProblem((self.key,), f"{self.key} is a list of scopes, such as [{example}].")
            return
        known = {scope.name for scope in self.scopes}
        seen: set[str] = set()
        for index, scope in enumerate(value):
            path = (self.key, str(index))
            if not isinstance(scope, str):
                yield SettingsProblem(path, f"A scope is a text, such as {self.scopes[0].name!r}.")
            elif scope not in known:
                message = f"{self.service_name} has no scope {_quoted(scope)}. It knows: {', '.join(sorted(known))}."
                yield SettingsProblem(path, message)
            elif scope in seen:
                yield SettingsProblem(path, f"The scope {scope!r} is named twice.")
            else:
                seen.add(scope)

    def read(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        """The scopes in these settings; the default where they name none or can't be used."""
        value = settings.get(self.key)
        if not isinstance(value, list) or any(self.problems(value)):
            return self.default
        return tuple(scope for scope in value if isinstance(scope, str))


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number between two bounds, both included."""

    key: str
    description: str
    minimum: int
    maximum: int
    default: int

    def schema(self) -> dict[str, Json]:
        return {
            "description": self.description,
            "type": "integer",
            "minimum": self.minimum,
            "maximum": self.maximum,
            "default": self.default,
            "examples": [self.default],
        }

    def problems(self, value: Json) -> Iterator[SettingsProblem]:
        # A bool is an int to Python, not to JSON. JSON Schema takes 7.0 for an integer; Python's check wouldn't.
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        if not whole or not self.minimum <= _number(value) <= self.maximum:
            message = f"{self.key} is a whole number from {self.minimum} to {self.maximum}."
            yield SettingsProblem((self.key,), message)

    def read(self, settings: Mapping[str, Json]) -> int:
        """The number in these settings; the default where there is none or it can't be used."""
        value = settings.get(self.key)
        return self.default if any(self.problems(value)) else int(_number(value))


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """All the settings that a service knows."""

    service_name: str
    fields: Sequence[Setting]

    def schema(self) -> dict[str, Json]:
        """JSON Schema, draft 2020-12."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"Settings of a connection to {self.service_name}",
            "type": "object",
            "properties": {field.key: field.schema() for field in self.fields},
            "additionalProperties": False,
        }

    def problems(self, settings: Mapping[str, Json]) -> Iterator[SettingsProblem]:
        """All that is wrong, unknown keys first; each with the path to it."""
        fields = {field.key: field for field in self.fields}
        for key in settings:
            if key not in fields:
                message = f"{self.service_name} has no setting {_quoted(key)}. It knows: {', '.join(fields)}."
                yield SettingsProblem((key,), message)
        for key, field in fields.items():
            if key in settings:
                yield from field.problems(settings[key])


def accepted_settings(service: Service, settings: Json) -> dict[str, Json]:
    """Settings as they are kept. Raises InvalidInput for the first thing that the service would not take."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise InvalidInput("Settings are an object, such as {}.", ("input", "settings"))
    for problem in service.settings_problems(settings):
        raise InvalidInput(problem.message, ("input", "settings", *problem.path))
    return dict(settings)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _number(value: Json) -> float:
    return value if isinstance(value, int | float) else 0


EXPIRY_WARNING_DAYS: Final = WholeNumber(
    key="expiryWarningDays",
    description="How many days before its credential ends the connection is shown as degraded.",
    minimum=1,
    maximum=90,
    default=7,
)
"""Every service knows this one: the end of a credential is read by the same probe for all."""
