"""Mutation: what can be done. Each hands its input to a manager's method of the same verb, and answers what came of it.

Used by `gql/schema.py`. Errors that a caller can mend stand in the payload; the others are the operation's.
"""

from typing import Annotated
from uuid import UUID

import strawberry

from domain.command_failures import failure_of
from domain.errors import InvalidArguments
from domain.repository_sync_outcome import SyncReport, SyncStopped
from gql import arguments, inputs, payloads
from gql.context import Info
from gql.outcomes import outcome
from gql.people_mutations import PeopleMutation
from gql.types.scalars import URL
from gql.user_errors import user_errors_of

CreateConnection = Annotated[inputs.CreateConnectionInput, strawberry.argument(description="The connection to create.")]
UpdateConnection = Annotated[inputs.UpdateConnectionInput, strawberry.argument(description="What to change.")]
UpdateStatus = Annotated[inputs.UpdateConnectionStatusInput, strawberry.argument(description="What to set.")]
DeleteConnection = Annotated[inputs.DeleteConnectionInput, strawberry.argument(description="What to delete.")]
CheckHealth = Annotated[inputs.CheckConnectionHealthInput, strawberry.argument(description="What to check.")]
RotateCredentials = Annotated[inputs.RotateCredentialsInput, strawberry.argument(description="What to replace.")]
AuthorizeConnection = Annotated[inputs.AuthorizeConnectionInput, strawberry.argument(description="What to authorize.")]
CompleteAuthorization = Annotated[inputs.CompleteAuthorizationInput, strawberry.argument(description="What to finish.")]
SyncRepositories = Annotated[inputs.SyncRepositoriesInput, strawberry.argument(description="What to bring up to date.")]
UpdateRepository = Annotated[inputs.UpdateRepositoryInput, strawberry.argument(description="What to choose.")]
RunCommand = Annotated[inputs.RunCommandInput, strawberry.argument(description="What to run, and through what.")]
UpdateOrganization = Annotated[inputs.UpdateOrganizationInput, strawberry.argument(description="What to change.")]
CreateOrganization = Annotated[inputs.CreateOrganizationInput, strawberry.argument(description="What to create.")]


@strawberry.type(description="What can be done.")
class Mutation(PeopleMutation):
    @strawberry.mutation(description="Connect a service by a token. The service is asked whose the token is.")
    async def create_connection(self, info: Info, input: CreateConnection) -> payloads.CreateConnectionPayload:
        async def created() -> payloads.CreateConnectionPayload:
            connection = await info.context.manager.create_connection(
                info.context.viewer,
                arguments.organization_id(input.organization_id),
                input.service,
                arguments.secret_of(input.credential),
                name=input.name,
                settings=input.settings,
                labels=input.labels,
                idempotency_key=input.idempotency_key,
            )
            return payloads.CreateConnectionPayload(connection_id=connection.id)

        return await outcome(payloads.CreateConnectionPayload, created())

    @strawberry.mutation(
        description="Begin to connect a service in the browser, or to bring a connection back that way. "
        "Send the browser to `authorizationUrl`; who called this has to call completeAuthorization in the end."
    )
    async def authorize_connection(self, info: Info, input: AuthorizeConnection) -> payloads.AuthorizeConnectionPayload:
        async def begun() -> payloads.AuthorizeConnectionPayload:
            flow = await info.context.authorization_flows.begin(
                info.context.viewer,
                arguments.organization_id(input.organization_id),
                input.service,
                connection_id=None if input.connection_id is None else arguments.connection_id(input.connection_id),
                method=input.method,
                name=input.name,
                scopes=input.scopes,
                return_to=input.return_to,
                popup=input.popup,
                allow_account_change=input.allow_account_change,
                settings=input.settings,
                labels=input.labels,
            )
            return payloads.AuthorizeConnectionPayload(
                authorization_url=URL(flow.authorization_url), expires_at=flow.expires_at
            )

        return await outcome(payloads.AuthorizeConnectionPayload, begun())

    @strawberry.mutation(
        description="Finish what authorizeConnection began, with the code that the browser came back with. "
        "A code works once, for the same user and API key only."
    )
    async def complete_authorization(
        self, info: Info, input: CompleteAuthorization
    ) -> payloads.CompleteAuthorizationPayload:
        async def completed() -> payloads.CompleteAuthorizationPayload:
            connection = await info.context.authorization_flows.complete(info.context.viewer, input.code)
            return payloads.CompleteAuthorizationPayload(connection_id=connection.id)

        return await outcome(payloads.CompleteAuthorizationPayload, completed())

    @strawberry.mutation(description="Change a connection's name, labels or settings.")
    async def update_connection(self, info: Info, input: UpdateConnection) -> payloads.UpdateConnectionPayload:
        async def updated() -> payloads.UpdateConnectionPayload:
            connection = await info.context.manager.update_connection(
                info.context.viewer,
                arguments.connection_id(input.connection_id),
                name=arguments.given(input.name),
                labels=arguments.given(input.labels),
                settings=arguments.given(input.settings),
                expected_version=input.expected_version,
            )
            return payloads.UpdateConnectionPayload(connection_id=connection.id)

        return await outcome(payloads.UpdateConnectionPayload, updated())

    @strawberry.mutation(description="Pause or resume a connection.")
    async def update_connection_status(
        self,
        info: Info,
        input: UpdateStatus,
    ) -> payloads.UpdateConnectionStatusPayload:
        async def updated() -> payloads.UpdateConnectionStatusPayload:
            connection = await info.context.manager.update_connection_status(
                info.context.viewer,
                arguments.connection_id(input.connection_id),
                input.status,
                reason=input.reason,
                expected_version=input.expected_version,
                dry_run=input.dry_run,
            )
            return payloads.UpdateConnectionStatusPayload(connection_id=connection.id)

        return await outcome(payloads.UpdateConnectionStatusPayload, updated())

    @strawberry.mutation(
        description="End a connection, forget its secret and revoke it at the service. Its history stays, its name is "
        "free again."
    )
    async def delete_connection(self, info: Info, input: DeleteConnection) -> payloads.DeleteConnectionPayload:
        async def deleted() -> payloads.DeleteConnectionPayload:
            viewer, connection_id = info.context.viewer, arguments.connection_id(input.connection_id)
            deletion = await info.context.manager.delete_connection(
                viewer, connection_id, expected_version=input.expected_version, dry_run=input.dry_run
            )
            return payloads.DeleteConnectionPayload(
                deleted=None if input.dry_run else connection_id,
                organization_id=deletion.organization_id,
                revocation=deletion.secret,
                without=connection_id,
            )

        return await outcome(payloads.DeleteConnectionPayload, deleted())

    @strawberry.mutation(
        description="Ask the service now how a connection is. Whatever it answers is a finding, not an error."
    )
    async def check_connection_health(self, info: Info, input: CheckHealth) -> payloads.CheckConnectionHealthPayload:
        async def checked() -> payloads.CheckConnectionHealthPayload:
            viewer, connection_id = info.context.viewer, arguments.connection_id(input.connection_id)
            check = await info.context.manager.check_connection_health(viewer, connection_id)
            return payloads.CheckConnectionHealthPayload(connection_id=connection_id, health_check_id=check.id)

        return await outcome(payloads.CheckConnectionHealthPayload, checked())

    @strawberry.mutation(
        description="Replace a connection's secret by a new one of the same account. Ends EXPIRED, REVOKED and ERROR."
    )
    async def rotate_credentials(self, info: Info, input: RotateCredentials) -> payloads.RotateCredentialsPayload:
        async def rotated() -> payloads.RotateCredentialsPayload:
            connection = await info.context.manager.rotate_credentials(
                info.context.viewer,
                arguments.connection_id(input.connection_id),
                None if input.credential is None else arguments.secret_of(input.credential),
                expected_version=input.expected_version,
            )
            return payloads.RotateCredentialsPayload(connection_id=connection.id)

        return await outcome(payloads.RotateCredentialsPayload, rotated())

    @strawberry.mutation(
        description="Compare a connection's repositories with the service's now. What takes longer than some seconds "
        "goes on by itself."
    )
    async def sync_repositories(self, info: Info, input: SyncRepositories) -> payloads.SyncRepositoriesPayload:
        async def synced() -> payloads.SyncRepositoriesPayload:
            viewer, connection_id = info.context.viewer, arguments.connection_id(input.connection_id)
            synced_so_far = await info.context.repositories.sync_repositories(viewer, connection_id)
            return _synced(connection_id, synced_so_far)

        return await outcome(payloads.SyncRepositoriesPayload, synced())

    @strawberry.mutation(description="Choose a repository to be used, or not to be.")
    async def update_repository(self, info: Info, input: UpdateRepository) -> payloads.UpdateRepositoryPayload:
        async def updated() -> payloads.UpdateRepositoryPayload:
            repository = await info.context.repositories.update_repository(
                info.context.viewer,
                arguments.repository_id(input.repository_id),
                selected=input.selected,
                expected_version=input.expected_version,
            )
            return payloads.UpdateRepositoryPayload(repository_id=repository.id)

        return await outcome(payloads.UpdateRepositoryPayload, updated())

    @strawberry.mutation(
        description="Run a command through a connection. What goes wrong at the service is told by the run and by "
        "`userErrors`. A run whose outcome nobody knows is UNKNOWN, and never repeated by itself."
    )
    async def run_command(self, info: Info, input: RunCommand) -> payloads.RunCommandPayload:
        async def ran() -> payloads.RunCommandPayload:
            try:
                run = await info.context.commands.run(
                    info.context.viewer,
                    arguments.connection_id(input.connection_id),
                    input.command_id,
                    input.arguments,
                    repository_id=None if input.repository_id is None else arguments.repository_id(input.repository_id),
                    idempotency_key=input.idempotency_key,
                    wait_seconds=input.wait_seconds,
                )
            except InvalidArguments as invalid:
                return payloads.RunCommandPayload(user_errors=user_errors_of(invalid.problems))
            failure = failure_of(run)
            return payloads.RunCommandPayload(
                run_id=run.id, user_errors=user_errors_of([] if failure is None else [failure])
            )

        return await outcome(payloads.RunCommandPayload, ran())

    @strawberry.mutation(description="Create an organization, of which the viewer becomes the owner.")
    async def create_organization(self, info: Info, input: CreateOrganization) -> payloads.CreateOrganizationPayload:
        async def created() -> payloads.CreateOrganizationPayload:
            organization = await info.context.users.create_organization(
                info.context.viewer, input.slug, input.name, idempotency_key=input.idempotency_key
            )
            return payloads.CreateOrganizationPayload(organization_id=organization.id)

        return await outcome(payloads.CreateOrganizationPayload, created())

    @strawberry.mutation(description="Change an organization's name, or how often its connections are checked.")
    async def update_organization(self, info: Info, input: UpdateOrganization) -> payloads.UpdateOrganizationPayload:
        async def updated() -> payloads.UpdateOrganizationPayload:
            organization = await info.context.users.update_organization(
                info.context.viewer,
                arguments.organization_id(input.organization_id),
                name=arguments.given(input.name),
                check_interval_seconds=arguments.given(input.check_interval_seconds),
                expected_version=input.expected_version,
            )
            return payloads.UpdateOrganizationPayload(organization_id=organization.id)

        return await outcome(payloads.UpdateOrganizationPayload, updated())


def _synced(connection_id: UUID, outcome: SyncReport | SyncStopped) -> payloads.SyncRepositoriesPayload:
    """What a sync has done, also where the service has stopped it."""
    report, errors = (outcome, []) if isinstance(outcome, SyncReport) else (outcome.report, [outcome.failure])
    return payloads.SyncRepositoriesPayload(
        connection_id=connection_id,
        added=report.added,
        updated=report.updated,
        removed=report.removed,
        unchanged=report.unchanged,
        complete=report.complete,
        user_errors=user_errors_of(errors),
    )
