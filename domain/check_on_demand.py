"""ChecksOnDemand: checks a connection because somebody asks for it, now. Used by ServiceConnectionManager.

It doesn't wait for the connection's turn. Where the connection is being checked already, by whatever process, what that
finds is the answer, so that nobody's click makes a second call.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from domain.connection_checks import ConnectionChecks
from domain.connection_units import ConnectionUnits, credential_of
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor
from domain.entities.health import HealthCheck, HealthCheckTrigger, Verdict
from domain.entities.identifiers import Kind, typed_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Action, Viewer
from domain.errors import CredentialUnreadable, ServiceUnavailable
from domain.health_probes import Identify
from domain.ports import UnitsOfWork
from domain.service_board import ServiceBoard
from domain.services.base import IdentityAnswer
from domain.services.catalogue import ServiceCatalogue

LEASE: Final = timedelta(seconds=45)
"""Longer than a call, a refresh and a second call take together."""
LONGEST_WAIT_SECONDS: Final = 12.0
"""For somebody else's check: a little more than a call may take. Then it is asked all the same."""
FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.5


class ChecksOnDemand:
    """Stateless."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        checks: ConnectionChecks,
        vault: CredentialVault,
        refresher: CredentialRefresher,
        board: ServiceBoard,
        clock: Callable[[], datetime],
    ) -> None:
        self._units_of_work = units_of_work
        self._connection_units = ConnectionUnits(units_of_work)
        self._catalogue = catalogue
        self._checks = checks
        self._vault = vault
        self._refresher = refresher
        self._board = board
        self._clock = clock

    async def check(self, viewer: Viewer, connection_id: UUID) -> HealthCheck:
        """Whatever the service answers is a finding, not an error. Raises as the manager's use cases do."""
        async with self._connection_units.reading(viewer, connection_id, Action.CHECK_HEALTH) as (unit, connection):
            organization_id = connection.organization_id
            before = await unit.health_checks.latest(connection_id)
        lease = uuid4()
        if not await self._take(organization_id, connection_id, lease):
            found = await self._found_by_others(organization_id, connection_id, before)
            if found is not None:
                await self._record(viewer, connection, found)
                return found
            await self._take(
                organization_id, connection_id, lease
            )  # if that fails, two ask at once, which does no harm
        try:
            return await self._ask(viewer, connection_id)
        except BaseException:  # recording it would have ended the lease
            with suppress(ServiceUnavailable):  # then it ends by itself; what went wrong is what is to be told
                async with self._units_of_work.writing(organization_id) as unit:
                    await unit.due_checks.release(organization_id, connection_id, lease)
                    await unit.commit()
            raise

    async def _take(self, organization_id: UUID, connection_id: UUID, lease: UUID) -> bool:
        now = self._clock()
        async with self._units_of_work.writing(organization_id) as unit:
            taken = await unit.due_checks.take(organization_id, connection_id, lease, now, now + LEASE)
            await unit.commit()
        return taken

    async def _found_by_others(
        self, organization_id: UUID, connection_id: UUID, before: HealthCheck | None
    ) -> HealthCheck | None:
        """What the check that is running finds; None if it takes too long, or found nothing that could be kept."""
        pause_seconds, waits_until_seconds = FIRST_PAUSE_SECONDS, time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < waits_until_seconds:
            async with self._units_of_work.reading(organization_id) as unit:
                leased = await unit.due_checks.is_leased(organization_id, connection_id, self._clock())
                latest = await unit.health_checks.latest(connection_id)
            if latest is not None and (before is None or latest.id != before.id):
                return latest
            if not leased:
                return None
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(LONGEST_PAUSE_SECONDS, pause_seconds * 2)
        return None

    async def _record(self, viewer: Viewer, connection: ServiceConnection, found: HealthCheck) -> None:
        """That they asked, too: the event is of whoever made the check."""
        check_id, action = typed_id(Kind.HEALTH_CHECK, found.id), AuditAction.CONNECTION_HEALTH_CHECKED
        async with self._units_of_work.writing(connection.organization_id) as unit:
            record = AuditRecord.of_connection(viewer, connection, action, self._clock(), healthCheckId=check_id)
            await unit.audit.add(record)
            await unit.commit()

    async def _ask(self, viewer: Viewer, connection_id: UUID) -> HealthCheck:
        """A credential that is refused and can be refreshed is, and then asked about again."""
        refreshes = True
        while True:
            async with self._connection_units.reading(viewer, connection_id, Action.CHECK_HEALTH) as (unit, connection):
                asked_with = await credential_of(unit, connection)
            secret = self._vault.open(asked_with)
            check = await self._checks.examine(
                connection,
                secret,
                HealthCheckTrigger.MANUAL,
                stored_end=asked_with.ends_at,
                identify=self._identify(viewer, connection) if refreshes else None,
            )
            if check.verdict is Verdict.FAILED and self._board.incident(connection.service) is not None:
                check = replace(
                    check, verdict=Verdict.INCONCLUSIVE
                )  # it is the service: no count against the connection
            async with self._connection_units.writing(viewer, connection_id, Action.CHECK_HEALTH) as (unit, connection):
                credential = await credential_of(unit, connection)
                if credential.generation != asked_with.generation:
                    refreshes = False  # once is enough: a service that refuses each new token, too, is a finding
                    continue  # rotated meanwhile: what was found is of a secret that is gone
                opened = not isinstance(secret, CredentialUnreadable)
                await self._checks.keep(unit, connection, credential, check, Actor.of(viewer), opened=opened)
                await unit.commit()
                return check

    def _identify(self, viewer: Viewer, connection: ServiceConnection) -> Identify:
        """Asks with the credential that is stored, which it has refreshed where the service refuses it."""
        service, actor = self._catalogue.get_connected(connection.service), Actor.of(viewer)

        async def identify(_: CredentialSecret) -> IdentityAnswer:
            return await self._refresher.call(
                connection.organization_id, connection.id, service.identify, actor=actor, although_down=True
            )

        return identify
