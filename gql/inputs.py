"""What mutations take: the credential and the input of each. Used by `gql/mutations.py`."""

import strawberry

from domain.entities.connection_status import ConnectionStatus
from gql.types.scalars import JSON

_EXPECTED_VERSION = (
    "The version that the caller has read: if it has changed meanwhile, nothing is done (VersionConflict)."
)
_IDEMPOTENCY_KEY = (
    "Any text of the caller's, such as a UUID. The same call again with the same key gives what the first one created."
)


@strawberry.input(description="A token that a person has made at the service.")
class TokenCredentialInput:
    token: str = strawberry.field(description="The token itself. It is sealed at once and never shown again.")


@strawberry.input(one_of=True, description="What opens the service: exactly one of these.")
class CredentialInput:
    token: TokenCredentialInput | None = strawberry.field(
        default=strawberry.UNSET, description="A personal or fine-grained token, or a bot token."
    )


@strawberry.input(description="A new connection.")
class CreateConnectionInput:
    organization_id: strawberry.ID = strawberry.field(description="Whose it will be.")
    service: strawberry.ID = strawberry.field(description="Such as `github`: see `Query.services`.")
    name: str | None = strawberry.field(default=None, description="What to call it; the account's name by default.")
    credential: CredentialInput = strawberry.field(description="What opens the service.")
    settings: JSON | None = strawberry.field(default=None, description="See `Service.settingsSchema`.")
    labels: JSON | None = strawberry.field(default=None, description='Text by text, such as {"team": "platform"}.')
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)


@strawberry.input(description="What to change of a connection. What isn't given stays.")
class UpdateConnectionInput:
    connection_id: strawberry.ID = strawberry.field(description="Which one.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Its new name.")
    labels: JSON | None = strawberry.field(default=strawberry.UNSET, description="All of its labels from now on.")
    settings: JSON | None = strawberry.field(default=strawberry.UNSET, description="All of its settings from now on.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)


@strawberry.input(description="A status to set.")
class UpdateConnectionStatusInput:
    connection_id: strawberry.ID = strawberry.field(description="Of which connection.")
    status: ConnectionStatus = strawberry.field(description="One of its `availableStatuses`.")
    reason: str | None = strawberry.field(default=None, description="Why, for the others of the team.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)
    dry_run: bool = strawberry.field(default=False, description="Only see whether it could be done.")


@strawberry.input(description="A connection to delete.")
class DeleteConnectionInput:
    connection_id: strawberry.ID = strawberry.field(description="Which one.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)
    dry_run: bool = strawberry.field(default=False, description="Only see whether it could be done.")


@strawberry.input(description="A connection to check now.")
class CheckConnectionHealthInput:
    connection_id: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.input(description="A new secret for a connection.")
class RotateCredentialsInput:
    connection_id: strawberry.ID = strawberry.field(description="Which one.")
    credential: CredentialInput | None = strawberry.field(
        default=None, description="The new secret, of the same account. A token can't be refreshed, so it needs one."
    )
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    slug: str = strawberry.field(description="Its name in addresses: a-z, 0-9 and `-`, such as `acme`.")
    name: str = strawberry.field(description="Its name for people, such as `Acme Inc.`.")
    idempotency_key: str | None = strawberry.field(default=None, description=_IDEMPOTENCY_KEY)
