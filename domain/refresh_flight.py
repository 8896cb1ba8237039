"""RefreshFlight: one refresh of one credential, alone among all processes. Made by CredentialRefresher.

The credential is leased, the service asked with no transaction open, and its answer stored where the generation is
still the one it was leased with, and the lease nobody else's. Refresh tokens work once: asking twice, or losing an
answer, loses the connection.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from domain.call_budget import limit_after, may_call
from domain.connection_units import share_wait
from domain.credential_revocation import CredentialRevocations
from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, ConnectionEventType
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import TaskKind
from domain.errors import CredentialUnreadable, LeaseLost, NotFound, ServiceUnavailable, VersionConflict
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.periodic_work import refresh_task, warning_task
from domain.ports import LeaseOutcome, UnitOfWork, UnitsOfWork
from domain.refresh_outcome import NotRefreshable, Refreshed, RefreshFailed, RefreshOutcome
from domain.refresh_refusal import ENDED, no_client, reconnect_needed, refusal_check, under_way
from domain.request_origin import request_origin
from domain.schedule import next_check_at
from domain.services.authorization import Authorization, Grant
from domain.services.base import Identified, Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import FaultKind, ServiceFault

LEASE: Final = timedelta(seconds=45)
"""More than twice what a call may take (10 s): longer than a probe and a refresh together."""
LONGEST_WAIT: Final = timedelta(seconds=12)
"""For somebody else's refresh: a little more than a call may take."""
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
STORE_AGAIN_SECONDS: Final = 0.5

_SAYS_NO: Final = {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}
_LEAVES_OPEN: Final = {FaultKind.UNREACHABLE, FaultKind.SERVICE_ERROR}
"""After these nobody knows whether the service has refreshed, so that the lease isn't given back."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Leased:
    """What may be refreshed until then. `taken_over`: from somebody who never told how it ended."""

    connection: ServiceConnection
    credential: ServiceCredential
    service: Service
    authorization: Authorization
    secret: OAuthSecret
    until: datetime
    taken_over: bool


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Somebody else is refreshing the credential of this generation."""

    generation: int


class RefreshFlight:
    """Flies once."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        *,
        organization_id: UUID,
        connection_id: UUID,
        actor: Actor,
        lease: timedelta,
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self._organization_id = organization_id
        self._connection_id = connection_id
        self._actor = actor
        self._lease_time = lease
        self._measurements = measurements
        self._lease = uuid4()

    async def fly(self, seen_generation: int | None) -> RefreshOutcome:
        """Raises NotFound, CredentialUnreadable and ServiceUnavailable."""
        pause_seconds, waits_until = FIRST_PAUSE_SECONDS, self._clock() + LONGEST_WAIT
        while True:
            leased = await self._take(seen_generation)
            outcome = await self._measured(leased) if isinstance(leased, _Leased) else leased
            if not isinstance(outcome, _Elsewhere):
                return outcome
            if self._clock() >= waits_until:
                return RefreshFailed(under_way())
            # What comes of the other one's is the answer here, too.
            seen_generation = outcome.generation if seen_generation is None else seen_generation
            await asyncio.sleep(pause_seconds * (0.5 + self._chance()))
            pause_seconds = min(LONGEST_PAUSE_SECONDS, pause_seconds * 2)

    async def _take(self, seen_generation: int | None) -> _Leased | _Elsewhere | RefreshOutcome:
        """Lease the credential, unless there is nothing to do, nothing that can be done, or nobody to do it for."""
        async with self._units_of_work.writing(self._organization_id) as unit:
            connection = await unit.connections.find(self._connection_id)
            credential = await self._credential(unit)
            if connection is None:
                raise NotFound.connection()
            if seen_generation is not None and credential.generation > seen_generation:
                return self._refreshed(credential)
            if not credential.refreshable:
                return NotRefreshable()
            now = self._clock()
            service = self._catalogue.find(connection.service)
            refusal = _refusal(connection, service, now)
            if refusal is not None:
                return refusal
            if service is None or service.authorization is None:
                _log.error("%s can't be refreshed: this server has no client at %s.", connection.id, connection.service)
                return RefreshFailed(no_client(connection.service))
            secret = self._opened(credential)
            until = now + self._lease_time
            outcome = await unit.credentials.lease(
                connection.id, self._lease, generation=credential.generation, now=now, until=until
            )
            if outcome in {LeaseOutcome.HELD, LeaseOutcome.CHANGED}:
                return _Elsewhere(credential.generation)
            await unit.commit()
        taken_over = outcome is LeaseOutcome.TAKEN_OVER
        return _Leased(connection, credential, service, service.authorization, secret, until, taken_over)

    async def _measured(self, leased: _Leased) -> RefreshOutcome | _Elsewhere:
        outcome = await self._refresh(leased)
        if not isinstance(outcome, _Elsewhere):
            self._measurements.refreshed(leased.service.id, _word(outcome))
        return outcome

    async def _refresh(self, leased: _Leased) -> RefreshOutcome | _Elsewhere:
        """Ask the service. A refresh of somebody's that may have happened shows in the old access token."""
        interrupted = False
        if leased.taken_over:
            probed = await leased.service.identify(leased.secret)
            if not isinstance(probed, Identified) and probed.kind not in _SAYS_NO:
                return RefreshFailed(probed, not_before=leased.until)
            interrupted = not isinstance(probed, Identified)
        answer = await leased.authorization.refresh(leased.secret)
        try:
            if isinstance(answer, Grant):
                return await self._store(leased, answer)
            if answer.kind in _SAYS_NO and answer.conclusive:
                return await self._end(leased, answer, interrupted)
            return await self._put_off(leased, answer)
        except (LeaseLost, VersionConflict) as lost:
            if isinstance(lost, LeaseLost):
                self._measurements.lease_lost(TaskKind.REFRESH_CREDENTIAL)
            return _Elsewhere(leased.credential.generation)

    async def _store(self, leased: _Leased, grant: Grant) -> RefreshOutcome:
        """Keep what the service gave. It gives it once: while the database is away, this waits."""
        while True:
            try:
                return await self._store_or_revoke(leased, grant)
            except ServiceUnavailable:
                _log.warning("The refreshed credential of %s waits for the database.", self._connection_id)
                await asyncio.sleep(STORE_AGAIN_SECONDS)

    async def _store_or_revoke(self, leased: _Leased, grant: Grant) -> Refreshed:
        try:
            stored = await self._store_now(leased, grant)
        except (NotFound, LeaseLost):
            await self._revoke(leased, grant)
            raise
        if not _share_a_token(stored.secret, grant.secret):
            await self._revoke(leased, grant)
        return stored

    async def _store_now(self, leased: _Leased, grant: Grant) -> Refreshed:
        """By the generation, whoever has the lease by now: the tokens of this one are no more, and these are."""
        async with self._units_of_work.writing(self._organization_id) as unit:
            connection = await unit.connections.get(self._connection_id)
            credential = await self._credential(unit)
            if credential.generation != leased.credential.generation:
                return self._refreshed(credential)  # reconnected meanwhile; or stored by us, and we weren't told
            replaced, ended, now = credential.generation, credential.ends_at, self._clock()
            self._vault.replace(credential, _completed(grant, leased), None, now)
            if connection.status in ENDED:
                raise LeaseLost  # somebody took it over and has found that this is its end
            await unit.credentials.save(credential, replaces_generation=replaced)  # ending whatever lease there is
            following = refresh_task(credential, self._chance)
            if following is not None:
                await unit.tasks.put(following)
            warning = None if credential.ends_at == ended else warning_task(credential, now)
            if warning is not None:
                await unit.tasks.put_at(warning)
            rotated = connection.credentials_rotated(credential.generation, credential.fingerprint, now)
            await unit.connections.save(connection, keep_version=True)
            await unit.events.append([rotated], self._actor)
            await unit.commit()
        return Refreshed(credential.generation, grant.secret, request_origin())

    async def _end(self, leased: _Leased, fault: ServiceFault, interrupted: bool) -> RefreshOutcome:
        """The service refuses the refresh token. Unless somebody has a newer one, the connection ends by that."""
        async with self._units_of_work.writing(self._organization_id) as unit:
            connection = await unit.connections.get(self._connection_id)
            credential = await self._credential(unit)
            if credential.generation != leased.credential.generation:
                return self._refreshed(credential)
            # Nothing changes in it: this gives the lease back, and raises LeaseLost where somebody else may be right.
            await unit.credentials.save(credential, replaces_generation=credential.generation, lease=self._lease)
            now = self._clock()
            check = refusal_check(connection, leased.service, fault, now, interrupted=interrupted)
            events = connection.record_check(check, missing_scopes=connection.missing_scopes, now=now)
            connection.health.next_check_at = next_check_at(connection, now, self._chance)
            await unit.health_checks.add(check)
            moved = any(event.type is ConnectionEventType.STATUS_CHANGED for event in events)
            await unit.connections.save(connection, keep_version=not moved)
            await unit.events.append(events, self._actor)
            await unit.commit()
        return RefreshFailed(fault, ended=True)

    async def _put_off(self, leased: _Leased, fault: ServiceFault) -> RefreshOutcome:
        """It can be tried again: at once, unless the service has said when, or may have refreshed all the same."""
        if fault.kind is FaultKind.CLIENT_REFUSED:
            _log.error(
                "%s refuses this server's client (%s): nothing can be refreshed there.", leased.service.id, fault.code
            )
        now = self._clock()
        async with self._units_of_work.writing(self._organization_id) as unit:
            connection = await unit.connections.get(self._connection_id)
            connection.learn_rate_limit(limit_after(fault, connection.rate_limit, now), now)
            await unit.connections.save(connection, keep_version=True)
            await share_wait(unit, connection)
            if fault.kind not in _LEAVES_OPEN:
                await unit.credentials.release(connection.id, self._lease)
            await unit.commit()
        if fault.kind in _LEAVES_OPEN:
            return RefreshFailed(fault, not_before=leased.until)
        wait = fault.retry_after_seconds
        return RefreshFailed(fault, not_before=None if wait is None else now + timedelta(seconds=wait))

    async def _revoke(self, leased: _Leased, grant: Grant) -> None:
        """The connection was deleted, reconnected or ended meanwhile: so what came of its old tokens is given back."""
        revocations = CredentialRevocations(self._units_of_work, self._catalogue, self._vault, self._clock)
        async with self._units_of_work.writing(self._organization_id) as unit:
            entrusted = await revocations.entrust(
                unit,
                self._organization_id,
                uuid4(),
                leased.service.id,
                grant.secret,
                webhook_key=leased.connection.webhook_key,
            )
            await unit.commit()
        await revocations.attempt(entrusted)

    async def _credential(self, unit: UnitOfWork) -> ServiceCredential:
        credential = await unit.credentials.find(self._connection_id)
        if credential is None:
            raise NotFound.connection()
        return credential

    def _refreshed(self, credential: ServiceCredential) -> Refreshed:
        opened = self._vault.open(credential)
        if isinstance(opened, CredentialUnreadable):
            raise opened
        return Refreshed(credential.generation, opened)

    def _opened(self, credential: ServiceCredential) -> OAuthSecret:
        opened = self._refreshed(credential).secret
        if not isinstance(opened, OAuthSecret):
            raise AssertionError("only what OAuth gave is refreshable")
        return opened


def _refusal(connection: ServiceConnection, service: Service | None, now: datetime) -> RefreshFailed | None:
    """Why the service needn't be asked."""
    if connection.status in ENDED:
        return RefreshFailed(reconnect_needed(connection), ended=True)
    limited = may_call(connection.service, connection.rate_limit, now)
    if limited is None or limited.retry_after_seconds is None:
        return None
    return RefreshFailed(limited, not_before=now + timedelta(seconds=limited.retry_after_seconds))


def _word(outcome: RefreshOutcome) -> str:
    match outcome:
        case Refreshed():
            return "REFRESHED"
        case RefreshFailed():
            return "ENDED" if outcome.ended else outcome.fault.kind.value
        case NotRefreshable():
            return "NOT_REFRESHABLE"


def _share_a_token(stored: CredentialSecret, given: CredentialSecret) -> bool:
    """Whether revoking what was given would take something from what is stored."""
    if isinstance(stored, OAuthSecret) and isinstance(given, OAuthSecret) and stored.refresh_token is not None:
        return stored.refresh_token == given.refresh_token or stored.access_token == given.access_token
    return stored.fingerprint == given.fingerprint


def _completed(grant: Grant, leased: _Leased) -> Grant:
    """With what the service leaves out because it stays: the scopes, and the end of a refresh token that it keeps."""
    credential, secret = leased.credential, grant.secret
    same_token = isinstance(secret, OAuthSecret) and secret.refresh_token == leased.secret.refresh_token
    return replace(
        grant,
        scopes=credential.scopes if grant.scopes is None else grant.scopes,
        refresh_expires_at=grant.refresh_expires_at or (credential.refresh_expires_at if same_token else None),
    )
