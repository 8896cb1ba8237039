"""What mutations give: the changed object, read as a document after the commit, and what the caller has to mend.

Used by `gql/mutations.py`.
"""

from uuid import UUID

import strawberry

from domain.entities.identifiers import Kind, typed_id
from gql.execution import document
from gql.types.health import HealthCheck
from gql.types.organization import Organization
from gql.types.service_connection import ServiceConnection
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


@strawberry.type(description="The outcome of updateConnection.")
class UpdateConnectionPayload(ConnectionPayload):
    pass


@strawberry.type(description="The outcome of updateConnectionStatus.")
class UpdateConnectionStatusPayload(ConnectionPayload):
    pass


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

    @strawberry.field(description="The id of the connection that is gone; null if none is.")
    def deleted_connection_id(self) -> strawberry.ID | None:
        return None if self.deleted is None else strawberry.ID(typed_id(Kind.CONNECTION, self.deleted))

    @strawberry.field(description="The organization whose connection it was.")
    def organization(self) -> Organization | None:
        return document(None if self.organization_id is None else roots.organization_by_id(self.organization_id))


@strawberry.type(description="The outcome of createOrganization.")
class CreateOrganizationPayload(Payload):
    organization_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The new organization; null if nothing was done.")
    def organization(self) -> Organization | None:
        return document(None if self.organization_id is None else roots.organization_by_id(self.organization_id))
