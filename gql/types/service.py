"""Service as clients see it: what can be connected, and how. It is code, so it is answered from objects.

Used by `Query.services`, and by documents, which write it into their statements (`ServiceDocuments`).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import strawberry

from domain.entities.service_incident import ServiceStatus
from domain.service_board import ServiceBoard
from domain.services.authorization import AuthorizationMethod
from domain.services.base import Service as DomainService
from domain.services.catalogue import ServiceCatalogue
from gql.types.command import Command, command_of
from gql.types.scalars import JSON, URL
from persistence.column_types import timestamp_text
from persistence.documents.compiler import Answer
from persistence.documents.selection import Selected, Selection


@strawberry.type(description="A permission, as the service names it.")
class ServiceScope:
    name: str = strawberry.field(description="The service's name for it, such as `repo` or `chat:write`.")
    description: str = strawberry.field(description="What it allows.")
    required: bool = strawberry.field(
        description="Whether connections need it, unless their setting `requiredScopes` says otherwise."
    )


@strawberry.type(
    description="That a service itself is down. Its connections keep their health meanwhile, and aren't checked."
)
class ServiceIncident:
    code: str = strawberry.field(description="A stable name of what most checks found, such as `github_unreachable`.")
    message: str = strawberry.field(description="The same, for a person.")
    started_at: datetime = strawberry.field(description="When it was noticed.")


@strawberry.type(description="An outside service that can be connected.")
class Service:
    id: strawberry.ID = strawberry.field(description="Its name in arguments, such as `github` or `slack`.")
    name: str = strawberry.field(description="Its name for people, such as `GitHub`.")
    description: str = strawberry.field(description="What a connection to it is good for.")
    documentation_url: URL = strawberry.field(description="Where the service explains its credentials.")
    authorization_methods: list[AuthorizationMethod] = strawberry.field(description="How it can be connected.")
    scopes: list[ServiceScope] = strawberry.field(description="The permissions that Tether knows of.")
    settings_schema: JSON = strawberry.field(description="The JSON Schema of a connection's settings.")
    webhook_url: URL | None = strawberry.field(
        description="Where the service is to report changes; null where Tether takes no webhooks from it."
    )
    status: ServiceStatus = strawberry.field(description="How it is, by what most checks of all connections find.")
    incident: ServiceIncident | None = strawberry.field(description="What is known of it while it is down.")
    of: strawberry.Private[DomainService]

    @strawberry.field(
        description="What can be done there through a connection; nothing at a service that Tether only watches."
    )
    def commands(self) -> list[Command]:
        return [command_of(command, self) for command in self.of.commands or ()]


def service_of(service: DomainService, public_url: str, board: ServiceBoard) -> Service:
    """What the schema says of a service, on a server that the service reaches at `public_url`."""
    incident = _incident(board, service.id)
    return Service(
        id=strawberry.ID(service.id),
        name=service.name,
        description=service.description,
        documentation_url=URL(service.documentation_url),
        authorization_methods=list(service.authorization_methods),
        scopes=[ServiceScope(name=s.name, description=s.description, required=s.required) for s in service.scopes],
        settings_schema=dict(service.settings_schema),
        webhook_url=None if service.webhooks is None else URL(f"{public_url}/webhooks/{service.id}"),
        status=ServiceStatus.OPERATIONAL if incident is None else ServiceStatus.DOWN,
        incident=incident,
        of=service,
    )


class ServiceDocuments:
    """What documents ask with (CatalogueAnswers): a selection gives each service's JSON text, by its id."""

    def __init__(self, catalogue: ServiceCatalogue, public_url: str, board: ServiceBoard) -> None:
        self._catalogue = catalogue
        self._public_url = public_url
        self._board = board

    def services(self, selection: Selection) -> Mapping[str, Answer]:
        if _tells_incidents(selection):
            return {service.id: partial(self._written, service, selection) for service in self._catalogue}
        texts = {service.id: self._written(service, selection) for service in self._catalogue}
        return {id_: partial(str, text) for id_, text in texts.items()}

    def incidents(self, selection: Selection) -> Mapping[str, Answer]:
        def answer(service_id: str) -> str:
            incident = _incident(self._board, service_id)
            return "null" if incident is None else _json(_project(incident, selection))

        return {service.id: partial(answer, service.id) for service in self._catalogue}

    def commands(self, selection: Selection) -> Mapping[str, Answer]:
        commands = {command.id: service for service in self._catalogue for command in service.commands or ()}
        if _tells_incidents(selection):
            return {id_: partial(self._command, service, id_, selection) for id_, service in commands.items()}
        texts = {id_: self._command(service, id_, selection) for id_, service in commands.items()}
        return {id_: partial(str, text) for id_, text in texts.items()}

    def _written(self, service: DomainService, selection: Selection) -> str:
        shown = service_of(service, self._public_url, self._board)
        return _json(_project(shown, selection))

    def _command(self, service: DomainService, command_id: str, selection: Selection) -> str:
        shown = service_of(service, self._public_url, self._board)
        command = next(each for each in shown.commands() if each.id == command_id)
        return _json(_project(command, selection))


def _tells_incidents(selection: Selection) -> bool:
    """Whether the answer is another one when a service goes down."""
    return any(
        (type_name == "Service" and field.name in {"status", "incident"}) or _tells_incidents(field.below)
        for type_name, fields in selection.items()
        for field in fields
    )


def _incident(board: ServiceBoard, service_id: str) -> ServiceIncident | None:
    incident = board.incident(service_id)
    if incident is None:
        return None
    return ServiceIncident(code=incident.code, message=incident.message, started_at=incident.started_at)


def _project(value: Any, selection: Selection) -> Any:
    """The selected part of an object, keyed as the client asked."""
    if isinstance(value, list):
        return [_project(item, selection) for item in value]
    if value is None or not selection:
        return value
    type_name = type(value).__name__
    return {field.key: _member(value, type_name, field) for field in selection[type_name]}


def _member(value: Any, type_name: str, field: Selected) -> Any:
    if field.name == "__typename":
        return type_name
    member = getattr(value, _python_name(field.name))
    return _project(member() if callable(member) else member, field.below)


def _python_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _plain(value: object) -> str:
    """What orjson doesn't write by itself as the schema has it."""
    if isinstance(value, datetime):
        return timestamp_text(value)
    raise TypeError(f"{type(value).__name__} isn't part of a service")
