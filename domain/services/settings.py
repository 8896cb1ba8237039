"""A connection's settings, declared once: the JSON Schema for clients and the check of what they send come from it.

Used by the services to declare what they know, by ServiceConnectionManager, and by `domain/health_probes.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.entities.health import Json
from domain.errors import InvalidInput
from domain.services.base import Service, ServiceScope
from domain.services.fields import WholeNumber
from domain.services.form import Field, Form, FormProblem, quoted


@dataclass(frozen=True, slots=True)
class ScopeList:
    """A list of scopes that the service knows, each once."""

    key: str
    description: str
    service_name: str
    scopes: Sequence[ServiceScope]

    required = False

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

    def problems(self, value: Json) -> Iterator[FormProblem]:
        if not isinstance(value, list):
            example = ", ".join(f'"{name}"' for name in self.default)
            yield FormProblem((self.key,), f"{self.key} is a list of scopes, such as [{example}].")
            return
        known = {scope.name for scope in self.scopes}
        seen: set[str] = set()
        for index, scope in enumerate(value):
            path = (self.key, str(index))
            if not isinstance(scope, str):
                yield FormProblem(path, f"A scope is a text, such as {self.scopes[0].name!r}.")
            elif scope not in known:
                message = f"{self.service_name} has no scope {quoted(scope)}. It knows: {', '.join(sorted(known))}."
                yield FormProblem(path, message)
            elif scope in seen:
                yield FormProblem(path, f"The scope {scope!r} is named twice.")
            else:
                seen.add(scope)

    def read(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        """The scopes in these settings; the default where they name none or can't be used."""
        value = settings.get(self.key)
        if not isinstance(value, list) or any(self.problems(value)):
            return self.default
        return tuple(scope for scope in value if isinstance(scope, str))


def settings_form(service_name: str, fields: Sequence[Field]) -> Form:
    """All the settings that a service knows."""
    return Form(f"Settings of a connection to {service_name}", service_name, "setting", fields)


def accepted_settings(service: Service, settings: Json) -> dict[str, Json]:
    """Settings as they are kept. Raises InvalidInput for the first thing that the service would not take."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise InvalidInput("Settings are an object, such as {}.", ("input", "settings"))
    for problem in service.settings_problems(settings):
        raise InvalidInput(problem.message, ("input", "settings", *problem.path))
    return dict(settings)


EXPIRY_WARNING_DAYS: Final = WholeNumber(
    key="expiryWarningDays",
    description="How many days before its credential ends the connection is shown as degraded.",
    minimum=1,
    maximum=90,
    default=7,
)
"""Every service knows this one: the end of a credential is read by the same probe for all."""
