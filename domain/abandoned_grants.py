"""AbandonedGrants: what a service gave and nobody may use is revoked there, and its flow forgotten.

Used through AuthorizationFlows. A revocation is stored as a task before it is tried, so that it survives this process.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from domain.credential_revocation import CredentialRevocations, Entrusted
from domain.credential_vault import CredentialVault
from domain.entities.authorization_flow import AuthorizationFlow
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.sealed_grant import open_grant
from domain.services.authorization import Grant
from domain.services.base import Revocation
from domain.services.catalogue import ServiceCatalogue

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
        async with self._units_of_work.reading_everywhere() as unit:
            expired = await unit.authorization_flows.expired(now, limit)
        for flow in expired:
            await self.forget(flow)
        return len(expired)

    async def forget(self, flow: AuthorizationFlow) -> None:
        """Remove the flow, and revoke what waits in it."""
        grant = self._waiting(flow)
        async with self._units_of_work.writing_everywhere() as unit:
            if not await unit.authorization_flows.remove(flow.id):
                return
            entrusted = None if grant is None else await self._entrust(unit, flow, grant)
            await unit.commit()
        if entrusted is not None:
            await self._revocations.attempt(entrusted)

    async def revoke(self, flow: AuthorizationFlow, grant: Grant) -> None:
        """For what the flow never came to hold, since it was forgotten meanwhile."""
        async with self._units_of_work.writing_everywhere() as unit:
            entrusted = await self._entrust(unit, flow, grant)
            await unit.commit()
        await self._revocations.attempt(entrusted)

    async def revoke_unstored(self, flow: AuthorizationFlow, grant: Grant) -> None:
        """For what can't even be written down: at once, or never. Where that could end more, nobody can look."""
        service = self._catalogue.find(flow.service)
        answer = None if service is None or service.revocation_spreads else await service.revoke(grant.secret)
        if not isinstance(answer, Revocation):
            _log.error("What %s gave for the flow %s is neither kept nor revoked.", flow.service, flow.id)

    def _waiting(self, flow: AuthorizationFlow) -> Grant | None:
        try:
            return open_grant(self._vault, flow)
        except CredentialUnreadable:
            _log.warning("What waits in the authorization flow %s doesn't open, so it can't be revoked.", flow.id)
            return None

    async def _entrust(self, unit: UnitOfWork, flow: AuthorizationFlow, grant: Grant) -> Entrusted:
        return await self._revocations.entrust(
            unit, flow.organization_id, flow.id, flow.service, grant.secret, webhook_key=grant.webhook_key
        )
