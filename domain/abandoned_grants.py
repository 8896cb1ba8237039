"""AbandonedGrants: what a service gave and nobody may use is revoked there, and its flow forgotten.

Used through AuthorizationFlows. A revocation is stored as a task before it is tried, so that it survives this process.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from domain.credential_revocation import CredentialRevocations, Entrusted
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.authorization_flow import AuthorizationFlow
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.sealed_grant import open_grant
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault

_log: Final = logging.getLogger(__name__)


class AbandonedGrants:
    """Forgets flows. One that somebody completes at the same moment is theirs, and left alone."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._vault = vault
        self._revocations = CredentialRevocations(units_of_work, catalogue, vault, clock)

    async def forget_expired(self, now: datetime, limit: int) -> int:
        """End the flows whose time is over; how many it were."""
        async with self._units_of_work.reading() as unit:
            expired = await unit.authorization_flows.expired(now, limit)
        for flow in expired:
            await self.forget(flow)
        return len(expired)

    async def forget(self, flow: AuthorizationFlow) -> None:
        """Remove the flow, and revoke what waits in it."""
        secret = await self._revocable(flow.service, self._waiting(flow))
        async with self._units_of_work.writing() as unit:
            if not await unit.authorization_flows.remove(flow.id):
                return
            entrusted = await self._entrust(unit, flow, secret)
            await unit.commit()
        if entrusted is not None:
            await self._revocations.attempt(entrusted)

    async def revoke(self, flow: AuthorizationFlow, secret: CredentialSecret) -> None:
        """For what the flow never came to hold, since it was forgotten meanwhile."""
        revocable = await self._revocable(flow.service, secret)
        async with self._units_of_work.writing() as unit:
            entrusted = await self._entrust(unit, flow, revocable)
            await unit.commit()
        if entrusted is not None:
            await self._revocations.attempt(entrusted)

    def _waiting(self, flow: AuthorizationFlow) -> CredentialSecret | None:
        try:
            grant = open_grant(self._vault, flow)
        except CredentialUnreadable:
            _log.warning("What waits in the authorization flow %s doesn't open, so it can't be revoked.", flow.id)
            return None
        return None if grant is None else grant.secret

    async def _revocable(self, service_id: str, secret: CredentialSecret | None) -> CredentialSecret | None:
        """The secret, unless revoking it would end a connection that lives: Slack has one bot for a workspace.

        Where a service whose revocations spread won't say whose the secret is, nobody can tell, and it is left alone.
        """
        if secret is None:
            return None
        async with self._units_of_work.reading() as unit:
            if await unit.organizations.credential_held(service_id, secret.fingerprint):
                return None
        service = self._catalogue.find(service_id)
        if service is None or not service.revocation_spreads:
            return secret
        answer = await service.identify(secret)
        if isinstance(answer, ServiceFault):
            _log.warning("An abandoned grant of %s isn't revoked: %s.", service_id, answer.code)
            return None
        key = answer.identity.webhook_key
        async with self._units_of_work.reading() as unit:
            serves = key is not None and await unit.organizations.connections_reached(service_id, [key])
        return None if serves else secret

    async def _entrust(
        self, unit: UnitOfWork, flow: AuthorizationFlow, secret: CredentialSecret | None
    ) -> Entrusted | None:
        if secret is None:
            return None
        return await self._revocations.entrust(unit, flow.organization_id, flow.id, flow.service, secret)
