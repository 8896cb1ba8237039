"""Command as clients see it: what can be done at a service, and what it takes. It is code, as services are.

Used by `Service.commands` and by the runs of commands.
"""

from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.user import Role
from domain.services.commands import Command as DomainCommand
from domain.services.commands import TargetKind
from gql.types.scalars import JSON, URL

if TYPE_CHECKING:
    from gql.types.service import Service

LazyService = Annotated["Service", strawberry.lazy("gql.types.service")]


@strawberry.type(description="What a command acts on.")
class CommandTarget:
    kind: TargetKind = strawberry.field(description="What sort of thing it is.")
    argument: str = strawberry.field(description="The key of the argument that names it.")


@strawberry.type(description="Something that can be done at a service through a connection: see runCommand.")
class Command:
    id: strawberry.ID = strawberry.field(description="Such as `github.create_issue`.")
    name: str = strawberry.field(description="Its name for people, such as `Create an issue`.")
    description: str = strawberry.field(description="What it does.")
    documentation_url: URL = strawberry.field(description="Where the service explains it.")
    arguments_schema: JSON = strawberry.field(description="The JSON Schema of its arguments.")
    result_schema: JSON = strawberry.field(description="The JSON Schema of its result.")
    required_scopes: list[str] = strawberry.field(description="The scopes that tokens and OAuth grants need: all.")
    required_permissions: list[str] = strawberry.field(
        description="The permissions of which an app's installation needs one; none where it needs none."
    )
    least_role: Role = strawberry.field(description="The role that it takes to run it.")
    mutating: bool = strawberry.field(description="Whether it changes anything at the service.")
    repeatable: bool = strawberry.field(description="Whether running it twice does what running it once does.")
    long_running: bool = strawberry.field(
        description="Whether it may take longer than people wait: then it is QUEUED, and run by itself."
    )
    event_types: list[str] = strawberry.field(description="The types of the service's events that it suits.")
    target: CommandTarget | None = strawberry.field(description="What it acts on, where connections can be bound.")
    examples: list[JSON] = strawberry.field(description="Arguments that are good.")
    of: strawberry.Private["Service"]

    @strawberry.field(description="The service that it is done at.")
    def service(self) -> LazyService:
        return self.of


def command_of(command: DomainCommand, service: "Service") -> Command:
    """What the schema says of a command of that service."""
    target = command.target
    return Command(
        id=strawberry.ID(command.id),
        name=command.name,
        description=command.description,
        documentation_url=URL(command.documentation_url),
        arguments_schema=command.arguments.schema(),
        result_schema=command.result.schema(),
        required_scopes=list(command.required_scopes),
        required_permissions=list(command.required_permissions),
        least_role=command.least_role,
        mutating=command.mutating,
        repeatable=command.repeatable,
        long_running=command.long_running,
        event_types=list(command.event_types),
        target=None if target is None else CommandTarget(kind=target.kind, argument=target.argument),
        examples=[dict(example) for example in command.examples],
        of=service,
    )
