"""CommandRun as clients see it, with the filter of its lists. Documents answer all of its fields."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.command_run import CommandRunStatus
from domain.entities.health import Remedy
from gql.types.command import Command
from gql.types.event import Actor, LazyServiceConnection
from gql.types.pages import Node
from gql.types.scalars import JSON, URL

if TYPE_CHECKING:
    from gql.types.organization import Organization

LazyOrganization = Annotated["Organization", strawberry.lazy("gql.types.organization")]


@strawberry.type(description="Why a run didn't succeed, or why nobody knows whether it did.")
class CommandRunError:
    code: str = strawberry.field(description="Stable, such as `github_not_found`.")
    message: str = strawberry.field(description="The same, for a person.")
    remedy: Remedy = strawberry.field(description="What to do about it.")
    retry_after_seconds: int | None = strawberry.field(description="When it is worth trying again.")
    argument: str | None = strawberry.field(
        description="The key of the argument that the service objects to, where it tells."
    )


@strawberry.type(description="One run of a command through a connection: see runCommand.")
class CommandRun(Node):
    organization: LazyOrganization = strawberry.field(description="Whose it is.")
    connection: LazyServiceConnection = strawberry.field(
        description="The connection through which it is run; one that has been deleted, too."
    )
    command_id: strawberry.ID = strawberry.field(description="The command's id, such as `github.create_issue`.")
    command: Command | None = strawberry.field(description="The command; null where this server no longer has it.")
    arguments: JSON | None = strawberry.field(
        description="As they were given; null for those whose role doesn't reach for the command."
    )
    status: CommandRunStatus = strawberry.field(description="How far it has come.")
    attempts: int = strawberry.field(description="How often the service was called for it.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When the service was called first.")
    finished_at: datetime | None = strawberry.field(description="When it was known what came of it, or that it isn't.")
    duration_ms: int | None = strawberry.field(description="From `startedAt` to `finishedAt`.")
    result: JSON | None = strawberry.field(
        description="What came of it: see `Command.resultSchema`; null for those whose role doesn't reach for the "
        "command, too."
    )
    url: URL | None = strawberry.field(description="Where to look at it at the service.")
    error: CommandRunError | None = strawberry.field(description="Why it is FAILED or UNKNOWN.")
    actor: Actor = strawberry.field(description="Who asked for it.")


@strawberry.input(description="Which runs to list. What isn't given doesn't filter.")
class CommandRunFilter:
    command_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Those of these commands, such as `[github.create_issue]`."
    )
    statuses: list[CommandRunStatus] | None = strawberry.field(default=None, description="Those in these statuses.")
    connection_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Those through these connections, deleted ones included."
    )


CommandRunsFilter = Annotated[CommandRunFilter | None, strawberry.argument(description="Which of them.")]
"""The argument of an organization's runs."""
