"""What mutations give: the changed object, read as a document after the commit, and what the caller has to mend.

Used by `gql/mutations.py`.
"""

from datetime import datetime
from uuid import UUID

import strawberry

from domain.connection_deletion import SecretFate
from domain.entities.identifiers import Kind, typed_id
from gql.execution import document
from gql.types.command_run import CommandRun
from gql.types.health import HealthCheck
from gql.types.organization import Organization
from gql.types.repository import Repository
from gql.types.scalars import URL
from gql.types.service_connection import ConnectionImpact, ServiceConnection
from gql.user_errors import UserError
from persistence.documents import roots

_USER_ERRORS = "What the caller has to mend; empty when it worked."


@strawberry.type
class Payload:
    """What every payload has."""

    user_errors: list[UserError] = strawberry.field(default_factory=list, description=_USER_ERRORS)


@strawberry.type
class ConnectionPayload(Payload):
    """A payload with the connection that was changed."""

    connection_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The connection as it is now; null if nothing was done.")
    def connection(self) -> ServiceConnection | None:
        return document(None if self.connection_id is None else roots.node(Kind.CONNECTION, self.connection_id))


@strawberry.type(description="The outcome of createConnection.")
class CreateConnectionPayload(ConnectionPayload):
    pass


@strawberry.type(description="The outcome of authorizeConnection.")
class AuthorizeConnectionPayload(Payload):
    authorization_url: URL | None = strawberry.field(
        default=None, description="Where to send the browser. It works once; null if nothing was begun."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="By when the browser has to be back from the service."
    )


@strawberry.type(description="The outcome of completeAuthorization.")
class CompleteAuthorizationPayload(ConnectionPayload):
    pass


@strawberry.type(description="The outcome of updateConnection.")
class UpdateConnectionPayload(ConnectionPayload):
    pass


@strawberry.type(description="The outcome of updateConnectionStatus.")
class UpdateConnectionStatusPayload(ConnectionPayload):
    @strawberry.field(
        description="What doesn't work while the connection is paused, or wouldn't after a dry run; null if there are "
        "`userErrors`."
    )
    def impact(self) -> ConnectionImpact | None:
        return document(None if self.connection_id is None else roots.connection_impact(self.connection_id))


@strawberry.type(description="The outcome of rotateCredentials.")
class RotateCredentialsPayload(ConnectionPayload):
    pass


@strawberry.type(description="The outcome of checkConnectionHealth.")
class CheckConnectionHealthPayload(ConnectionPayload):
    health_check_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="What was found.")
    def health_check(self) -> HealthCheck | None:
        return document(None if self.health_check_id is None else roots.node(Kind.HEALTH_CHECK, self.health_check_id))


@strawberry.type(description="The outcome of deleteConnection.")
class DeleteConnectionPayload(Payload):
    deleted: strawberry.Private[UUID | None] = None
    organization_id: strawberry.Private[UUID | None] = None
    revocation: SecretFate | None = strawberry.field(
        default=None,
        description="What becomes of the secret at the service or, in a dry run, would become of it if the service "
        "does as it is asked; null if there are `userErrors`.",
    )
    without: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The id of the connection that is gone; null if none is.")
    def deleted_connection_id(self) -> strawberry.ID | None:
        return None if self.deleted is None else strawberry.ID(typed_id(Kind.CONNECTION, self.deleted))

    @strawberry.field(
        description="What stops working with the connection, or would in a dry run; null if there are `userErrors`."
    )
    def impact(self) -> ConnectionImpact | None:
        return document(None if self.without is None else roots.connection_impact(self.without))

    @strawberry.field(description="The organization whose connection it was.")
    def organization(self) -> Organization | None:
        return document(None if self.organization_id is None else roots.organization_by_id(self.organization_id))


@strawberry.type(
    description="The outcome of syncRepositories. The counts are of repositories, null if nothing was begun."
)
class SyncRepositoriesPayload(ConnectionPayload):
    added: int | None = strawberry.field(default=None, description="New ones. None of them is selected yet.")
    updated: int | None = strawberry.field(default=None, description="Those that are otherwise than they were.")
    removed: int | None = strawberry.field(default=None, description="Those that the service no longer has.")
    unchanged: int | None = strawberry.field(default=None, description="The others.")
    complete: bool | None = strawberry.field(
        default=None,
        description="Whether everything has been compared. If not, the rest follows by itself, as "
        "REPOSITORIES_SYNCED tells, unless there are `userErrors`.",
    )


@strawberry.type(description="The outcome of updateRepository.")
class UpdateRepositoryPayload(Payload):
    repository_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The repository as it is now; null if nothing was done.")
    def repository(self) -> Repository | None:
        return document(None if self.repository_id is None else roots.node(Kind.REPOSITORY, self.repository_id))


@strawberry.type(description="The outcome of runCommand.")
class RunCommandPayload(Payload):
    run_id: strawberry.Private[UUID | None] = None

    @strawberry.field(
        description="The run as it is now, also where it failed, which `userErrors` tell, too; null if there is none."
    )
    def run(self) -> CommandRun | None:
        return document(None if self.run_id is None else roots.node(Kind.COMMAND_RUN, self.run_id))


@strawberry.type
class OrganizationPayload(Payload):
    """A payload with the organization in which something was changed."""

    organization_id: strawberry.Private[UUID | None] = None

    @strawberry.field(
        description="The organization as it is now; null if nothing was done, or if the viewer no longer sees it."
    )
    def organization(self) -> Organization | None:
        return document(None if self.organization_id is None else roots.organization_by_id(self.organization_id))


@strawberry.type(description="The outcome of updateOrganization.")
class UpdateOrganizationPayload(OrganizationPayload):
    pass


@strawberry.type(description="The outcome of createOrganization.")
class CreateOrganizationPayload(OrganizationPayload):
    pass
