"""ServiceCredential as clients see it: all that may be shown of a secret, and never the secret itself."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.credential import CredentialKind
from gql.types.pages import Node

if TYPE_CHECKING:
    from gql.types.service_connection import ServiceConnection

LazyServiceConnection = Annotated["ServiceConnection", strawberry.lazy("gql.types.service_connection")]


@strawberry.type(description="What opens the service, sealed. The secret itself is never shown.")
class ServiceCredential(Node):
    connection: LazyServiceConnection = strawberry.field(description="The connection that lives by it.")
    kind: CredentialKind = strawberry.field(description="What sort of secret it is.")
    fingerprint: str = strawberry.field(
        description="Tells secrets apart without showing them, such as `sha256:2cf24dba5fb0`: the start of the SHA-256."
    )
    scopes: list[str] = strawberry.field(
        description="What it may do, as the service told; empty where it doesn't tell."
    )
    expires_at: datetime | None = strawberry.field(
        description="When it ends; null: never, or the service doesn't tell."
    )
    refresh_expires_at: datetime | None = strawberry.field(description="When it can no longer be refreshed.")
    ends_at: datetime | None = strawberry.field(
        description="When it ends for good: `refreshExpiresAt` where Tether can refresh it, else `expiresAt`; null: "
        "never, or the service doesn't tell."
    )
    generation: int = strawberry.field(description="1 for the first secret, and one more for each that replaced it.")
    rotated_at: datetime = strawberry.field(description="When the present secret was stored.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used to call the service.")
