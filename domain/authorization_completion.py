"""AuthorizationCompletion: the end of a flow: what waits in it becomes a new connection, or brings one back.

Used through AuthorizationFlows. The service is asked with no transaction open; then the flow goes and the connection
comes in one unit of work, so that a code works once, and a failure before that leaves it good.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domain.abandoned_grants import AbandonedGrants
from domain.authorization import authorize
from domain.connection_checks import ConnectionChecks
from domain.connection_creation import NewConnection, under_free_name
from domain.connection_units import credential_of, save
from domain.credential_revocation import CredentialRevocations
from domain.credential_vault import CredentialVault
from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from domain.entities.health import HealthCheck, Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.text import numbered_names
from domain.entities.user import Action, Viewer
from domain.errors import AccountMismatch, InvalidInput, NotFound, VersionConflict
from domain.one_time_tokens import one_time_hash
from domain.periodic_work import tasks_for
from domain.ports import UnitOfWork, UnitsOfWork
from domain.sealed_grant import open_grant
from domain.services.authorization import Grant
from domain.services.catalogue import ServiceCatalogue


@dataclass(frozen=True, slots=True)
class _Introduced:
    """A grant with what the service has just said of it."""

    grant: Grant
    check: HealthCheck
    identity: Identity


class AuthorizationCompletion:
    """Ends flows for those who began them."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        checks: ConnectionChecks,
        vault: CredentialVault,
        abandoned: AbandonedGrants,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._checks = checks
        self._vault = vault
        self._abandoned = abandoned
        self._revocations = CredentialRevocations(units_of_work, catalogue, vault, clock)
        self._clock = clock
        self._chance = chance

    async def complete(self, viewer: Viewer, code: str) -> ServiceConnection:
        """Raises InvalidInput for a code that is unknown, used or too old, and alike for one that isn't the viewer's:
        then what the service gave is revoked. Raises what `create_connection` does, and AccountMismatch.
        """
        async with self._units_of_work.reading_everywhere() as unit:
            flow = await unit.authorization_flows.find(code_hash=one_time_hash(code))
        if flow is None:
            raise _unknown_code()
        if not flow.was_begun_by(viewer):
            await self._abandoned.forget(flow)
            raise _unknown_code()
        grant = open_grant(self._vault, flow)
        if grant is None or flow.stage is not FlowStage.EXCHANGED or flow.expires_at <= self._clock():
            raise _unknown_code()
        async with self._units_of_work.reading(flow.organization_id) as unit:
            await authorize(unit, viewer, flow.organization_id, Action.MANAGE_CONNECTIONS)
        if flow.connection_id is None:
            return await self._create(viewer, flow, grant)
        try:
            return await self._reconnect(viewer, flow, grant)
        except (AccountMismatch, NotFound):
            await self._abandoned.forget(flow)  # trying again would end the same way
            raise

    async def _create(self, viewer: Viewer, flow: AuthorizationFlow, grant: Grant) -> ServiceConnection:
        """A new connection. A name that is taken gets a number, since it would be a pity to ask the service again."""
        connection = ServiceConnection.create(
            id=new_id(),
            organization_id=flow.organization_id,
            service=flow.service,
            name="",
            labels=flow.labels,
            settings=flow.settings,
            required_scopes=self._catalogue.get_connected(flow.service).required_scopes(flow.settings),
            created_by=viewer.user_id,
            now=self._clock(),
        )
        check, identity = await self._checks.introduce(connection, grant.secret)
        authorized = connection.authorized(flow.method, identity.account, self._clock())
        checked, now = self._checks.record(connection, check), self._clock()
        credential = self._vault.create(connection, grant, identity, now)
        tasks = tasks_for(credential, self._catalogue.get_connected(flow.service), now, self._chance)
        new = NewConnection(connection, credential, check, checked, tasks)

        async def store() -> ServiceConnection:
            async with self._units_of_work.writing(flow.organization_id) as unit:
                await _take(unit, viewer, flow)
                await new.store(unit, viewer, authorized)
                await unit.commit()
            return connection

        return await under_free_name(connection, numbered_names(flow.name or identity.account.name), store)

    async def _reconnect(self, viewer: Viewer, flow: AuthorizationFlow, grant: Grant) -> ServiceConnection:
        """A new credential for the connection, which stays as it is in all else."""
        async with self._units_of_work.reading(flow.organization_id) as unit:
            connection = await _reconnected(unit, flow)
        if flow.allow_account_change:
            connection.release_account()
        try:
            check, identity = await self._checks.introduce(connection, grant.secret)
        except AccountMismatch as mismatch:
            raise AccountMismatch(mismatch.expected, mismatch.actual, ("input", "code")) from None
        while True:
            try:
                return await self._renew(viewer, flow, _Introduced(grant, check, identity))
            except VersionConflict:
                continue  # a refresh was faster: what it wrote is replaced all the same

    async def _renew(self, viewer: Viewer, flow: AuthorizationFlow, introduced: _Introduced) -> ServiceConnection:
        async with self._units_of_work.writing(flow.organization_id) as unit:
            await _take(unit, viewer, flow)
            connection, now = await _reconnected(unit, flow), self._clock()
            account, expected = introduced.identity.account, connection.external_account
            authorized = connection.authorized(flow.method, account, now)
            if flow.allow_account_change:
                connection.release_account()
            elif expected is not None and not connection.accepts_account(account):
                raise AccountMismatch(expected.name, account.name, ("input", "code"))
            credential = await credential_of(unit, connection)
            replaced = credential.generation
            await self._revocations.entrust_replaced(unit, connection, credential, introduced.grant.secret)
            self._vault.replace(credential, introduced.grant, introduced.identity, now)
            await unit.credentials.save(credential, replaces_generation=replaced)
            await unit.health_checks.add(introduced.check)
            for task in tasks_for(credential, self._catalogue.get_connected(flow.service), now, self._chance):
                await unit.tasks.put_at(task)
            rotated = connection.credentials_rotated(credential.generation, credential.fingerprint, now)
            checked = self._checks.record(connection, introduced.check, reconnect=True)
            await save(unit, viewer, connection, [authorized, rotated, *checked])
        return connection


async def _take(unit: UnitOfWork, viewer: Viewer, flow: AuthorizationFlow) -> None:
    """The flow is this unit's, or somebody else was first. Raises InvalidInput."""
    await authorize(unit, viewer, flow.organization_id, Action.MANAGE_CONNECTIONS)
    if not await unit.authorization_flows.remove(flow.id):
        raise _unknown_code()


async def _reconnected(unit: UnitOfWork, flow: AuthorizationFlow) -> ServiceConnection:
    """The connection that the flow is about. Raises NotFound where it is deleted meanwhile."""
    if flow.connection_id is None:
        raise AssertionError("only a flow with a connection reconnects one")
    return await unit.connections.get(flow.connection_id)


def _unknown_code() -> InvalidInput:
    return InvalidInput(
        "This code isn't known, was used before or is too old. Begin again with authorizeConnection.",
        ("input", "code"),
    )
