"""Units of work: one transaction each, with the repositories in it, and the only commit there is.

Given by the composition root to ServiceConnectionManager, UserService and whatever else changes what is kept.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from uuid import UUID

from domain.entities.user import Viewer
from domain.ports import UnitOfWork
from persistence.database import Database
from persistence.driver_errors import translating_errors
from persistence.repositories.api_keys import SqlApiKeyRepository
from persistence.repositories.audit_records import SqlAuditRepository
from persistence.repositories.authorization_flows import SqlAuthorizationFlowRepository
from persistence.repositories.call_budgets import SqlCallBudgetRepository
from persistence.repositories.command_runs import SqlCommandRunHistory, SqlCommandRunRepository
from persistence.repositories.connection_events import SqlConnectionEventRepository
from persistence.repositories.data_keys import SqlDataKeyRepository
from persistence.repositories.deleted_connections import SqlDeletedConnectionRepository
from persistence.repositories.due_checks import SqlDueCheckRepository
from persistence.repositories.event_retention import SqlEventRetentionRepository
from persistence.repositories.health_checks import SqlHealthCheckRepository
from persistence.repositories.health_history import SqlHealthHistoryRepository
from persistence.repositories.idempotency_keys import SqlIdempotencyKeyRepository
from persistence.repositories.invitations import SqlInvitationRepository
from persistence.repositories.memberships import SqlMembershipRepository
from persistence.repositories.operation_budgets import SqlOperationBudgetRepository
from persistence.repositories.organizations import SqlOrganizationRepository
from persistence.repositories.repositories import SqlRepositoryRepository
from persistence.repositories.repository_syncs import SqlRepositorySyncRepository
from persistence.repositories.service_connections import SqlServiceConnectionRepository
from persistence.repositories.service_credentials import SqlServiceCredentialRepository
from persistence.repositories.service_incidents import SqlServiceIncidentRepository
from persistence.repositories.sessions import SqlSessionRepository
from persistence.repositories.sign_in_flows import SqlSignInFlowRepository
from persistence.repositories.tasks import SqlTaskRepository
from persistence.repositories.tenant import Tenant
from persistence.repositories.trusted_documents import SqlTrustedDocumentRepository
from persistence.repositories.user_identities import SqlIdentityRepository
from persistence.repositories.users import SqlUserRepository
from persistence.repositories.webhook_deliveries import SqlWebhookDeliveryRepository
from persistence.row_security import EVERYWHERE, Reach, of_viewer, one_organization
from persistence.statement_watch import COMMIT
from persistence.transaction import Transaction
from persistence.uninterrupted import uninterrupted


class SqlUnitsOfWork:
    """Begins units of work on a database. `feed_hint` is told, after a commit, whose feed has grown."""

    def __init__(self, database: Database, feed_hint: Callable[[UUID], None]) -> None:
        self.database = database
        self._feed_hint = feed_hint

    def writing(self, organization_id: UUID) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.begin(one_organization(organization_id), organization_id, writes=True)

    def reading(self, organization_id: UUID) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.begin(one_organization(organization_id), organization_id, writes=False)

    def reading_for(self, viewer: Viewer) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.begin(of_viewer(viewer), None, writes=False)

    def writing_everywhere(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.begin(EVERYWHERE, None, writes=True)

    def reading_everywhere(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.begin(EVERYWHERE, None, writes=False)

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        """Where all of these begin. Without an organization there are no repositories of a tenant's rows."""
        return self._unit(reach, organization_id, writes=writes)

    @asynccontextmanager
    async def _unit(self, reach: Reach, organization_id: UUID | None, *, writes: bool) -> AsyncIterator[UnitOfWork]:
        async with self.database.transaction(reach, writes=writes) as transaction:
            yield SqlUnitOfWork(transaction, organization_id, self._feed_hint)


class SqlUnitOfWork:
    """One transaction. The tenant to whom its repositories are bound is decided in `_tenant` and nowhere else.

    What is kept of no single tenant is reached through `_server`, which only a unit gives that is meant for all.
    """

    def __init__(
        self, transaction: Transaction, organization_id: UUID | None, feed_hint: Callable[[UUID], None]
    ) -> None:
        self._transaction = transaction
        self._organization_id = organization_id
        self._feed_hint = feed_hint

    @property
    def organization_id(self) -> UUID:
        return self._tenant.organization_id

    @cached_property
    def _tenant(self) -> Tenant:
        if self._organization_id is None:
            raise RuntimeError("this unit of work isn't bound to an organization")
        return Tenant(self._transaction, self._organization_id)

    @cached_property
    def _server(self) -> Transaction:
        if self._transaction.reach is not EVERYWHERE:
            raise RuntimeError("this unit of work isn't meant for all organizations")
        return self._transaction

    @cached_property
    def connections(self) -> SqlServiceConnectionRepository:
        return SqlServiceConnectionRepository(self._tenant)

    @cached_property
    def credentials(self) -> SqlServiceCredentialRepository:
        return SqlServiceCredentialRepository(self._tenant)

    @cached_property
    def repositories(self) -> SqlRepositoryRepository:
        return SqlRepositoryRepository(self._tenant)

    @cached_property
    def repository_syncs(self) -> SqlRepositorySyncRepository:
        return SqlRepositorySyncRepository(self._tenant)

    @cached_property
    def health_checks(self) -> SqlHealthCheckRepository:
        return SqlHealthCheckRepository(self._tenant)

    @cached_property
    def events(self) -> SqlConnectionEventRepository:
        return SqlConnectionEventRepository(self._tenant)

    @cached_property
    def command_runs(self) -> SqlCommandRunRepository:
        return SqlCommandRunRepository(self._tenant)

    @cached_property
    def organizations(self) -> SqlOrganizationRepository:
        return SqlOrganizationRepository(self._transaction)

    @cached_property
    def users(self) -> SqlUserRepository:
        return SqlUserRepository(self._server)

    @cached_property
    def memberships(self) -> SqlMembershipRepository:
        return SqlMembershipRepository(self._transaction)

    @cached_property
    def api_keys(self) -> SqlApiKeyRepository:
        return SqlApiKeyRepository(self._transaction)

    @cached_property
    def identities(self) -> SqlIdentityRepository:
        return SqlIdentityRepository(self._server)

    @cached_property
    def invitations(self) -> SqlInvitationRepository:
        return SqlInvitationRepository(self._transaction)

    @cached_property
    def audit(self) -> SqlAuditRepository:
        return SqlAuditRepository(self._transaction)

    @cached_property
    def sessions(self) -> SqlSessionRepository:
        return SqlSessionRepository(self._server)

    @cached_property
    def sign_in_flows(self) -> SqlSignInFlowRepository:
        return SqlSignInFlowRepository(self._server)

    @cached_property
    def idempotency_keys(self) -> SqlIdempotencyKeyRepository:
        return SqlIdempotencyKeyRepository(self._transaction)

    @cached_property
    def authorization_flows(self) -> SqlAuthorizationFlowRepository:
        return SqlAuthorizationFlowRepository(self._transaction)

    @cached_property
    def tasks(self) -> SqlTaskRepository:
        return SqlTaskRepository(self._transaction)

    @cached_property
    def due_checks(self) -> SqlDueCheckRepository:
        return SqlDueCheckRepository(self._transaction)

    @cached_property
    def call_budgets(self) -> SqlCallBudgetRepository:
        return SqlCallBudgetRepository(self._transaction)

    @cached_property
    def operation_budgets(self) -> SqlOperationBudgetRepository:
        return SqlOperationBudgetRepository(self._server)

    @cached_property
    def service_incidents(self) -> SqlServiceIncidentRepository:
        return SqlServiceIncidentRepository(self._transaction)

    @cached_property
    def deleted_connections(self) -> SqlDeletedConnectionRepository:
        return SqlDeletedConnectionRepository(self._server)

    @cached_property
    def health_history(self) -> SqlHealthHistoryRepository:
        return SqlHealthHistoryRepository(self._server)

    @cached_property
    def command_run_history(self) -> SqlCommandRunHistory:
        return SqlCommandRunHistory(self._server)

    @cached_property
    def event_retention(self) -> SqlEventRetentionRepository:
        return SqlEventRetentionRepository(self._server)

    @cached_property
    def webhook_deliveries(self) -> SqlWebhookDeliveryRepository:
        return SqlWebhookDeliveryRepository(self._server)

    @cached_property
    def data_keys(self) -> SqlDataKeyRepository:
        return SqlDataKeyRepository(self._server)

    @cached_property
    def trusted_documents(self) -> SqlTrustedDocumentRepository:
        return SqlTrustedDocumentRepository(self._server)

    async def commit(self) -> None:
        """Make it all true at once, then wake the feed of this process. The unit has ended with that.

        Raises RuntimeError in a unit that reads or has ended, and ServiceUnavailable for an outage, after which the
        caller can't know whether the unit was kept.
        """
        if not self._transaction.writes:
            raise RuntimeError("a reading unit of work has nothing to commit")
        if not self._transaction.connection.in_transaction():
            raise RuntimeError("this unit of work has ended")
        with translating_errors(), self._transaction.watch.watching(COMMIT):
            await uninterrupted(self._transaction.connection.commit())
        if self._organization_id is not None and self.events.appended:
            self._feed_hint(self._organization_id)
