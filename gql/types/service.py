"""Service as clients see it: what can be connected, and how. It is code, so it is answered from objects.

Used by `Query.services`, and by documents, which write it into their statements (`service_documents`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import strawberry

from domain.services.authorization import AuthorizationMethod
from domain.services.base import Service as DomainService
from domain.services.catalogue import ServiceCatalogue
from gql.types.scalars import JSON, URL
from persistence.documents.selection import Selected, Selection


@strawberry.type(description="A permission, as the service names it.")
class ServiceScope:
    name: str = strawberry.field(description="The service's name for it, such as `repo` or `chat:write`.")
    description: str = strawberry.field(description="What it allows.")
    required: bool = strawberry.field(
        description="Whether connections need it, unless their setting `requiredScopes` says otherwise."
    )


@strawberry.type(description="An outside service that can be connected.")
class Service:
    id: strawberry.ID = strawberry.field(description="Such as `github` or `slack`.")
    name: str = strawberry.field(description="Such as `GitHub`.")
    description: str = strawberry.field(description="What a connection to it is good for.")
    documentation_url: URL = strawberry.field(description="Where the service explains its credentials.")
    authorization_methods: list[AuthorizationMethod] = strawberry.field(description="How it can be connected.")
    scopes: list[ServiceScope] = strawberry.field(description="The permissions that Tether knows of.")
    settings_schema: JSON = strawberry.field(description="The JSON Schema of a connection's settings.")
    webhook_url: URL | None = strawberry.field(
        description="Where the service is to report changes; null where Tether takes no webhooks from it."
    )


def service_of(service: DomainService, public_url: str) -> Service:
    """What the schema says of a service, on a server that the service reaches at `public_url`."""
    return Service(
        id=strawberry.ID(service.id),
        name=service.name,
        description=service.description,
        documentation_url=URL(service.documentation_url),
        authorization_methods=list(service.authorization_methods),
        scopes=[ServiceScope(name=s.name, description=s.description, required=s.required) for s in service.scopes],
        settings_schema=dict(service.settings_schema),
        webhook_url=None if service.webhooks is None else URL(f"{public_url}/webhooks/{service.id}"),
    )


def service_documents(catalogue: ServiceCatalogue, public_url: str) -> Callable[[Selection], Mapping[str, str]]:
    """What documents ask with: a selection from Service gives each service's JSON text, by its id."""
    services = {service.id: service_of(service, public_url) for service in catalogue}

    def answer(selection: Selection) -> Mapping[str, str]:
        return {id_: orjson.dumps(_project(service, selection)).decode() for id_, service in services.items()}

    return answer


def _project(value: Any, selection: Selection) -> Any:
    """The selected part of an object, keyed as the client asked."""
    if isinstance(value, list):
        return [_project(item, selection) for item in value]
    if not selection:
        return value
    type_name = type(value).__name__
    return {field.key: _member(value, type_name, field) for field in selection[type_name]}


def _member(value: Any, type_name: str, field: Selected) -> Any:
    if field.name == "__typename":
        return type_name
    return _project(getattr(value, _python_name(field.name)), field.below)


def _python_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
