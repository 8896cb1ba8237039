"""ServiceConnectionManager: all that is done to service connections. Called by the mutations of the GraphQL interface.

Each use case reads like its story: authorize, load, ask the service with no transaction open, let the entity decide,
and save state, history and events in one unit of work. The rules themselves live in the entities.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

from domain import credential_secrets
from domain.authorization import authorize
from domain.check_on_demand import ChecksOnDemand
from domain.connection_checks import ConnectionChecks
from domain.connection_creation import ConnectionCreation, NewConnection
from domain.connection_deletion import ConnectionDeletion, Deletion
from domain.connection_edit import ConnectionEdit
from domain.connection_units import ConnectionUnits, credential_of, save
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_revocation import CredentialRevocations
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor
from domain.entities.health import HealthCheck, Json
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.text import clean_labels, clean_name, clean_reason, numbered_names
from domain.entities.user import Action, Viewer
from domain.errors import CredentialUnreadable, InvalidInput
from domain.health import HealthCheckFactory
from domain.idempotency import IdempotentCall
from domain.periodic_work import tasks_for
from domain.ports import UnitOfWork, UnitsOfWork
from domain.refresh_outcome import NotRefreshable, Refreshed, RefreshFailed
from domain.request_origin import request_origin
from domain.service_board import ServiceBoard
from domain.service_failures import service_failure
from domain.services.authorization import Grant
from domain.services.catalogue import ServiceCatalogue
from domain.services.credential_kinds import require_kind
from domain.services.settings import accepted_settings
from domain.unset import UNSET, Unset


class ServiceConnectionManager:
    """The use cases of service connections. One that raises a DomainError has changed nothing.

    Each raises NotFound for an id that doesn't exist or isn't the viewer's to see, Forbidden where the viewer's role
    doesn't reach, and VersionConflict where the connection has moved on from `expected_version`.
    """

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        health_checks: HealthCheckFactory,
        encryption: CredentialEncryption,
        refresher: CredentialRefresher,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        *,
        board: ServiceBoard | None = None,
    ) -> None:
        """`board`: the services that are down."""
        self._units_of_work = units_of_work
        self._connection_units = ConnectionUnits(units_of_work)
        self._creation = ConnectionCreation(units_of_work)
        self._catalogue = catalogue
        self._checks = ConnectionChecks(catalogue, health_checks, clock, chance)
        self._vault = CredentialVault(encryption)
        self._revocations = CredentialRevocations(units_of_work, catalogue, self._vault, clock)
        self._deletion = ConnectionDeletion(self._revocations, catalogue, self._vault, clock)
        self._checks_on_demand = ChecksOnDemand(
            units_of_work, catalogue, self._checks, self._vault, refresher, board or ServiceBoard(units_of_work), clock
        )
        self._refresher = refresher
        self._clock = clock
        self._chance = chance

    async def create_connection(
        self,
        viewer: Viewer,
        organization_id: UUID,
        service: str,
        secret: CredentialSecret,
        *,
        name: str | None = None,
        settings: Json = None,
        labels: Json = None,
        idempotency_key: str | None = None,
    ) -> ServiceConnection:
        """Connect the account that the credential belongs to; without a name, the connection takes the account's.

        The same call again with the same idempotency key gives what the first one created. Raises InvalidInput,
        NameTaken, IdempotencyKeyReused, and ServiceFailure if the service doesn't say whose it is.
        """
        kept_settings = self.validate_settings(service, settings)
        require_kind(self._catalogue.get(service), secret)
        kept_labels = clean_labels(labels, ("input", "labels"))
        call = IdempotentCall.of(
            viewer,
            "createConnection",
            idempotency_key,
            organization=str(organization_id),
            service=service,
            credential=credential_secrets.written(secret),
            name=name,
            settings=settings,
            labels=labels,
        )
        earlier = await self._creation.earlier_answer(viewer, organization_id, call)
        if earlier is not None:
            return earlier

        connection = ServiceConnection.create(
            id=new_id(),
            organization_id=organization_id,
            service=service,
            name="" if name is None else clean_name(name, ("input", "name")),
            labels=kept_labels,
            settings=kept_settings,
            required_scopes=self._catalogue.get(service).required_scopes(kept_settings),
            created_by=viewer.user_id,
            now=self._clock(),
        )
        check, identity = await self._checks.introduce(connection, secret)
        checked, now = self._checks.record(connection, check), self._clock()
        credential = self._vault.create(connection, Grant(secret), identity, now)
        names = numbered_names(identity.account.name) if name is None else iter([connection.name])
        tasks = tasks_for(credential, self._catalogue.get_connected(service), now, self._chance)
        new = NewConnection(connection, credential, check, checked, tasks)
        return await self._creation.add(viewer, call, new, names, now)

    async def update_connection(
        self,
        viewer: Viewer,
        connection_id: UUID,
        *,
        name: str | Unset | None = UNSET,
        labels: Json | Unset = UNSET,
        settings: Json | Unset = UNSET,
        expected_version: int | None = None,
    ) -> ServiceConnection:
        """Change what is given. Raises InvalidInput and NameTaken."""
        service = None
        if settings is not UNSET:
            service = self._catalogue.get_connected((await self.get(viewer, connection_id)).service)
        edit = ConnectionEdit.of(name=name, labels=labels, settings=settings, service=service)
        async with self._changing(viewer, connection_id, expected_version) as (unit, connection):
            granted_scopes = (await credential_of(unit, connection)).scopes
            await save(unit, viewer, connection, edit.apply(connection, granted_scopes, self._clock()))
        return connection

    async def update_connection_status(
        self,
        viewer: Viewer,
        connection_id: UUID,
        status: ConnectionStatus,
        *,
        reason: str | None = None,
        expected_version: int | None = None,
        dry_run: bool = False,
    ) -> ServiceConnection:
        """Pause or resume. A dry run gives the connection as it would become. Raises InvalidTransition."""
        async with self._changing(viewer, connection_id, expected_version) as (unit, connection):
            now = self._clock()
            events = connection.set_status(status, reason=clean_reason(reason), now=now)
            if not dry_run:
                if events and connection.status is ConnectionStatus.ACTIVE:  # what ended meanwhile has to show
                    await self._put_tasks(unit, connection, await credential_of(unit, connection), now)
                await save(unit, viewer, connection, events)
        return connection

    async def delete_connection(
        self, viewer: Viewer, connection_id: UUID, *, expected_version: int | None = None, dry_run: bool = False
    ) -> Deletion:
        """End the connection, forget its secret at once, and revoke it at the service; its history stays.

        A dry run says what would come of it.
        """
        async with self._changing(viewer, connection_id, expected_version) as (unit, connection):
            if dry_run:
                return Deletion(connection.organization_id, await self._deletion.foresee(unit, connection))
            stored = await self._deletion.store(unit, viewer, connection)
        return Deletion(connection.organization_id, await self._deletion.revoke(stored))

    async def check_connection_health(self, viewer: Viewer, connection_id: UUID) -> HealthCheck:
        """Ask the service how the connection is, now. Whatever it answers is a finding, not an error."""
        return await self._checks_on_demand.check(viewer, connection_id)

    async def rotate_credentials(
        self,
        viewer: Viewer,
        connection_id: UUID,
        secret: CredentialSecret | None,
        *,
        expected_version: int | None = None,
    ) -> ServiceConnection:
        """Replace the credential, once the service has said that the new one is the same account's.

        Ends EXPIRED, REVOKED and ERROR. Without a new one, the one that there is is refreshed. Raises InvalidInput for
        one that can't be, AccountMismatch, and ServiceFailure.
        """
        async with self._connection_units.reading(viewer, connection_id, Action.MANAGE_CONNECTIONS) as (_, connection):
            connection.expect(expected_version)
        if secret is None:
            await self._refresh(viewer, connection)
            return await self.get(viewer, connection_id)
        require_kind(self._catalogue.get_connected(connection.service), secret)
        check, identity = await self._checks.introduce(connection, secret)
        async with self._changing(viewer, connection_id, expected_version) as (unit, connection):
            credential = await credential_of(unit, connection)
            replaced, now = credential.generation, self._clock()
            await self._revocations.entrust_replaced(unit, connection, credential, secret)
            self._vault.replace(credential, Grant(secret), identity, now)
            await unit.credentials.save(credential, replaces_generation=replaced)
            await unit.health_checks.add(check)
            await self._put_tasks(unit, connection, credential, now)
            rotated = connection.credentials_rotated(credential.generation, credential.fingerprint, now)
            checked = self._checks.record(connection, check, reconnect=True, ends_at=credential.ends_at)
            await save(unit, viewer, connection, [rotated, *checked])
        return connection

    def validate_settings(self, service: str, settings: Json) -> dict[str, Json]:
        """The settings as they are kept. Raises InvalidInput for the first thing that the service wouldn't take."""
        return accepted_settings(self._catalogue.get(service), settings)

    async def get(self, viewer: Viewer, connection_id: UUID) -> ServiceConnection:
        """One connection."""
        async with self._connection_units.reading(viewer, connection_id, Action.READ) as (_, connection):
            return connection

    async def list(
        self, viewer: Viewer, organization_id: UUID, *, after: UUID | None = None, limit: int = 100
    ) -> Sequence[ServiceConnection]:
        """An organization's connections, oldest first: at most `limit` of them, after the connection `after`."""
        async with self._units_of_work.reading(organization_id) as unit:
            await authorize(unit, viewer, organization_id, Action.READ)
            return await unit.connections.list(after=after, limit=limit)

    async def _put_tasks(
        self, unit: UnitOfWork, connection: ServiceConnection, credential: ServiceCredential, now: datetime
    ) -> None:
        """What is to be done for the credential from now on. A service that this server no longer has needs nothing."""
        service = self._catalogue.find(connection.service)
        for task in () if service is None else tasks_for(credential, service, now, self._chance):
            await unit.tasks.put_at(task)

    async def _refresh(self, viewer: Viewer, connection: ServiceConnection) -> None:
        try:
            outcome = await self._refresher.refresh(connection.organization_id, connection.id, actor=Actor.of(viewer))
        except CredentialUnreadable as unreadable:
            raise InvalidInput(unreadable.message, ("input", "credential")) from unreadable
        match outcome:
            case Refreshed() as refreshed if refreshed.asked_from != request_origin():
                await self._record_joined(viewer, connection)
            case NotRefreshable():
                message = "This credential can't be refreshed: give a new one, or authorize the connection again."
                raise InvalidInput(message, ("input", "credential"))
            case RefreshFailed() as failed:
                raise service_failure(self._catalogue.get_connected(connection.service), failed.fault)

    async def _record_joined(self, viewer: Viewer, connection: ServiceConnection) -> None:
        """That they asked, too: the event is of whoever refreshed the credential."""
        async with self._units_of_work.writing(connection.organization_id) as unit:
            action = AuditAction.CONNECTION_CREDENTIALS_ROTATED
            await unit.audit.add(AuditRecord.of_connection(viewer, connection, action, self._clock()))
            await unit.commit()

    def _changing(
        self, viewer: Viewer, connection_id: UUID, expected_version: int | None
    ) -> AbstractAsyncContextManager[tuple[UnitOfWork, ServiceConnection]]:
        return self._connection_units.writing(
            viewer, connection_id, Action.MANAGE_CONNECTIONS, expected_version=expected_version
        )
