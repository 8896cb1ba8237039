"""Mutation: what can be done. Each hands its input to a manager's method of the same verb, and answers what came of it.

Used by `gql/schema.py`. Errors that a caller can mend stand in the payload; the others are the operation's.
"""

from collections.abc import Awaitable
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry

from domain.entities.identifiers import Kind, parse_id
from domain.errors import DomainError, InvalidInput, NotFound
from domain.secret import Secret
from domain.unset import UNSET as UNCHANGED
from domain.unset import Unset
from gql import inputs, payloads
from gql.context import Info
from gql.user_errors import user_error_of

Value = TypeVar("Value")
Outcome = TypeVar("Outcome", bound=payloads.Payload)

CreateConnection = Annotated[inputs.CreateConnectionInput, strawberry.argument(description="The connection to create.")]
UpdateConnection = Annotated[inputs.UpdateConnectionInput, strawberry.argument(description="What to change.")]
UpdateStatus = Annotated[inputs.UpdateConnectionStatusInput, strawberry.argument(description="What to set.")]
DeleteConnection = Annotated[inputs.DeleteConnectionInput, strawberry.argument(description="What to delete.")]
CheckHealth = Annotated[inputs.CheckConnectionHealthInput, strawberry.argument(description="What to check.")]
RotateCredentials = Annotated[inputs.RotateCredentialsInput, strawberry.argument(description="What to replace.")]
CreateOrganization = Annotated[inputs.CreateOrganizationInput, strawberry.argument(description="What to create.")]


@strawberry.type(description="What can be done.")
class Mutation:
    @strawberry.mutation(description="Connect a service by a token. The service is asked whose the token is.")
    async def create_connection(self, info: Info, input: CreateConnection) -> payloads.CreateConnectionPayload:
        async def created() -> payloads.CreateConnectionPayload:
            connection = await info.context.manager.create_connection(
                info.context.viewer,
                _organization_id(input.organization_id),
                input.service,
                _token(input.credential),
                name=input.name,
                settings=input.settings,
                labels=input.labels,
                idempotency_key=input.idempotency_key,
            )
            return payloads.CreateConnectionPayload(connection_id=connection.id)

        return await _outcome(payloads.CreateConnectionPayload, created())

    @strawberry.mutation(description="Change a connection's name, labels or settings.")
    async def update_connection(self, info: Info, input: UpdateConnection) -> payloads.UpdateConnectionPayload:
        async def updated() -> payloads.UpdateConnectionPayload:
            connection = await info.context.manager.update_connection(
                info.context.viewer,
                _connection_id(input.connection_id),
                name=_given(input.name),
                labels=_given(input.labels),
                settings=_given(input.settings),
                expected_version=input.expected_version,
            )
            return payloads.UpdateConnectionPayload(connection_id=connection.id)

        return await _outcome(payloads.UpdateConnectionPayload, updated())

    @strawberry.mutation(description="Pause or resume a connection.")
    async def update_connection_status(
        self,
        info: Info,
        input: UpdateStatus,
    ) -> payloads.UpdateConnectionStatusPayload:
        async def updated() -> payloads.UpdateConnectionStatusPayload:
            connection = await info.context.manager.update_connection_status(
                info.context.viewer,
                _connection_id(input.connection_id),
                input.status,
                reason=input.reason,
                expected_version=input.expected_version,
                dry_run=input.dry_run,
            )
            return payloads.UpdateConnectionStatusPayload(connection_id=connection.id)

        return await _outcome(payloads.UpdateConnectionStatusPayload, updated())

    @strawberry.mutation(
        description="End a connection and forget its secret. Its history stays, its name is free again."
    )
    async def delete_connection(self, info: Info, input: DeleteConnection) -> payloads.DeleteConnectionPayload:
        async def deleted() -> payloads.DeleteConnectionPayload:
            viewer, connection_id = info.context.viewer, _connection_id(input.connection_id)
            organization_id = await info.context.manager.delete_connection(
                viewer, connection_id, expected_version=input.expected_version, dry_run=input.dry_run
            )
            return payloads.DeleteConnectionPayload(
                deleted=None if input.dry_run else connection_id, organization_id=organization_id
            )

        return await _outcome(payloads.DeleteConnectionPayload, deleted())

    @strawberry.mutation(
        description="Ask the service now how a connection is. Whatever it answers is a finding, not an error."
    )
    async def check_connection_health(self, info: Info, input: CheckHealth) -> payloads.CheckConnectionHealthPayload:
        async def checked() -> payloads.CheckConnectionHealthPayload:
            viewer, connection_id = info.context.viewer, _connection_id(input.connection_id)
            check = await info.context.manager.check_connection_health(viewer, connection_id)
            return payloads.CheckConnectionHealthPayload(connection_id=connection_id, health_check_id=check.id)

        return await _outcome(payloads.CheckConnectionHealthPayload, checked())

    @strawberry.mutation(
        description="Replace a connection's secret by a new one of the same account. Ends EXPIRED, REVOKED and ERROR."
    )
    async def rotate_credentials(self, info: Info, input: RotateCredentials) -> payloads.RotateCredentialsPayload:
        async def rotated() -> payloads.RotateCredentialsPayload:
            connection = await info.context.manager.rotate_credentials(
                info.context.viewer,
                _connection_id(input.connection_id),
                None if input.credential is None else _token(input.credential),
                expected_version=input.expected_version,
            )
            return payloads.RotateCredentialsPayload(connection_id=connection.id)

        return await _outcome(payloads.RotateCredentialsPayload, rotated())

    @strawberry.mutation(description="Create an organization, of which the viewer becomes the owner.")
    async def create_organization(self, info: Info, input: CreateOrganization) -> payloads.CreateOrganizationPayload:
        async def created() -> payloads.CreateOrganizationPayload:
            organization = await info.context.users.create_organization(
                info.context.viewer, input.slug, input.name, idempotency_key=input.idempotency_key
            )
            return payloads.CreateOrganizationPayload(organization_id=organization.id)

        return await _outcome(payloads.CreateOrganizationPayload, created())


async def _outcome(payload: type[Outcome], work: Awaitable[Outcome]) -> Outcome:
    """What came of the work, or what the caller has to mend. Other errors go on, to become the operation's."""
    try:
        return await work
    except DomainError as error:
        user_error = user_error_of(error)
        if user_error is None:
            raise
        return payload(user_errors=[user_error])


def _organization_id(text: str) -> UUID:
    parsed = parse_id(Kind.ORGANIZATION, text)
    if parsed is None:
        raise NotFound.organization()
    return parsed


def _connection_id(text: str) -> UUID:
    parsed = parse_id(Kind.CONNECTION, text)
    if parsed is None:
        raise NotFound.connection()
    return parsed


def _token(credential: inputs.CredentialInput) -> Secret:
    """The token among the ways to give a credential."""
    if not credential.token:
        raise InvalidInput("Give a token.", ("input", "credential"))
    try:
        return Secret(credential.token.token)
    except ValueError:
        message = "A token is text without lone surrogates. Copy it again."
        raise InvalidInput(message, ("input", "credential", "token")) from None


def _given(value: Value | None) -> Value | Unset | None:
    return UNCHANGED if value is strawberry.UNSET else value
