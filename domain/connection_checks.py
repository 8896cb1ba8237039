"""ConnectionChecks: health checks of connections, between the probes that find and the entity that decides.

Used by ServiceConnectionManager and by whatever checks. `introduce` and `examine` wait for the service: never call
them in a unit of work.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from domain.connection_units import save_findings
from domain.credential_secrets import CredentialSecret
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, EventDraft
from domain.entities.health import HealthCheck, HealthCheckTrigger, Identity
from domain.entities.service_connection import ServiceConnection
from domain.errors import AccountMismatch, CredentialUnreadable
from domain.health import Diagnosis, HealthCheckFactory, HealthSubject
from domain.health_probes import Identify
from domain.ports import UnitOfWork
from domain.schedule import next_check_at
from domain.service_failures import service_failure
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue


class ConnectionChecks:
    """Checks connections, and has them take what was found."""

    def __init__(
        self,
        catalogue: ServiceCatalogue,
        health_checks: HealthCheckFactory,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._health_checks = health_checks
        self._clock = clock
        self._chance = chance

    async def introduce(self, connection: ServiceConnection, secret: CredentialSecret) -> tuple[HealthCheck, Identity]:
        """Ask the service about a credential that isn't stored yet: a check of it, and whose it is.

        Raises ServiceFailure if the service doesn't say, AccountMismatch if the connection is somebody else's.
        """
        diagnosis = await self._run(connection, secret, HealthCheckTrigger.CONNECT, None)
        if diagnosis.fault is not None:
            raise service_failure(self._catalogue.get_connected(connection.service), diagnosis.fault)
        identity = diagnosis.check.identity
        if identity is None:
            raise AssertionError("a service that made no fault has said whose the credential is")
        if connection.external_account is not None and not connection.accepts_account(identity.account):
            raise AccountMismatch(connection.external_account.name, identity.account.name)
        return diagnosis.check, identity

    async def examine(
        self,
        connection: ServiceConnection,
        secret: CredentialSecret | CredentialUnreadable,
        trigger: HealthCheckTrigger,
        *,
        stored_end: datetime | None,
        identify: Identify | None = None,
    ) -> HealthCheck:
        """Ask the service about the stored credential, by `identify`. Whatever it answers is a finding."""
        return (await self._run(connection, secret, trigger, stored_end, identify)).check

    def record(
        self,
        connection: ServiceConnection,
        check: HealthCheck,
        *,
        reconnect: bool = False,
        ends_at: datetime | None = None,
    ) -> Sequence[EventDraft]:
        """Have the connection take what the check found, and set when it is due again.

        `ends_at`: when the credential ends for good, as far as is known.
        """
        granted = None if check.identity is None else check.identity.scopes
        service = self._catalogue.get_connected(connection.service)
        missing = missing_scopes(service, connection.required_scopes, granted)
        now = self._clock()
        events = connection.record_check(check, missing_scopes=missing, now=now, reconnect=reconnect)
        connection.health.next_check_at = next_check_at(connection, now, self._chance, ends_at=ends_at)
        return events

    async def keep(
        self,
        unit: UnitOfWork,
        connection: ServiceConnection,
        credential: ServiceCredential,
        check: HealthCheck,
        actor: Actor,
        *,
        opened: bool,
    ) -> None:
        """Have the connection take what a check of its credential, as it is now, found, and store all of it.

        `opened`: whether the credential could be had, and so was used.
        """
        if check.identity is not None and credential.learn(check.identity):
            await unit.credentials.save(credential, replaces_generation=credential.generation)
        if opened:
            await unit.credentials.mark_used(connection.id, check.started_at)
        await unit.health_checks.add(check)
        await save_findings(unit, connection, self.record(connection, check, ends_at=credential.ends_at), actor)

    async def _run(
        self,
        connection: ServiceConnection,
        secret: CredentialSecret | CredentialUnreadable,
        trigger: HealthCheckTrigger,
        stored_end: datetime | None,
        identify: Identify | None = None,
    ) -> Diagnosis:
        account = connection.external_account
        return await self._health_checks.run_health_check(
            HealthSubject(
                service_id=connection.service,
                settings=connection.settings,
                secret=secret,
                expected_account_id=None if account is None else account.id,
                stored_end=stored_end,
                identify=identify,
            ),
            organization_id=connection.organization_id,
            connection_id=connection.id,
            trigger=trigger,
        )


def missing_scopes(service: Service, required: Sequence[str], granted: Sequence[str] | None) -> tuple[str, ...]:
    """What a credential lacks, as far as is known: of one whose scopes the service doesn't tell (None), nothing."""
    return () if granted is None else service.missing_scopes(required, granted)
