"""CredentialRevocations: has services forget credentials, at once where they can and by a task where they can't yet.

Used where a credential ends: deletion, replacement, abandoned authorization flows, refreshes that nobody is left for;
and run by the runner. That a secret is to be revoked is stored, sealed in the task, before its service is asked: it
survives this process, and is forgotten with the task.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.credential_uses import CredentialUse, use_of
from domain.credential_vault import CredentialVault
from domain.entities.credential import ServiceCredential
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.services.base import Revocation, Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault
from domain.task_outcome import Again, Ended, Failed, TaskOutcome

GIVE_UP_AFTER: Final = timedelta(days=7)
SECOND_TRY: Final = timedelta(minutes=1)
"""When the task has its turn: longer than a call may take, so that it doesn't meet the first try."""
REVOCATION_USE: Final = "revocation"
"""What the payload's secret is sealed for, with the id of the task's subject."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entrusted:
    """A secret that is going to be revoked. `subject_id` is what held it until now: a credential, or a flow.

    `webhook_key` is the grant's: what else ends with it where revocations spread. None: the service is asked for it.
    """

    subject_id: UUID
    service_id: str
    secret: CredentialSecret = field(repr=False)
    webhook_key: str | None = None


class CredentialRevocations:
    """Tries for a week. A secret that a living connection would end with is left alone, whenever its turn comes."""

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
        self._clock = clock

    async def entrust(
        self,
        unit: UnitOfWork,
        organization_id: UUID,
        subject_id: UUID,
        service_id: str,
        secret: CredentialSecret,
        *,
        webhook_key: str | None,
    ) -> Entrusted:
        """Store that it is to be revoked, in the unit that ends what held it. Then `attempt` it, or leave that be."""
        sealed = self._vault.seal_apart(organization_id, subject_id, REVOCATION_USE, secret)
        await unit.tasks.put(
            Task(
                new_id(),
                TaskKind.REVOKE_CREDENTIAL,
                subject_id,
                organization_id,
                self._clock() + SECOND_TRY,
                payload={"service": service_id, "sealed": sealed, "webhookKey": webhook_key},
            )
        )
        return Entrusted(subject_id, service_id, secret, webhook_key)

    async def entrust_replaced(
        self, unit: UnitOfWork, connection: ServiceConnection, credential: ServiceCredential, new: CredentialSecret
    ) -> None:
        """Leave what is in the credential to the task, before `new` takes its place. A person's own token is theirs.

        Where revocations spread, a token that somebody has made may be of the same grant, which doesn't show.
        """
        secret, service = self._vault.open(credential), self._catalogue.find(connection.service)
        if not isinstance(secret, OAuthSecret) or service is None:
            return
        if isinstance(new, OAuthSecret) or not service.revocation_spreads:
            organization_id, key = connection.organization_id, connection.webhook_key
            await self.entrust(unit, organization_id, new_id(), service.id, secret, webhook_key=key)

    async def attempt(self, entrusted: Entrusted) -> Revocation | CredentialUse | None:
        """Ask the service, with no transaction open. LIVING: it is left alone. None: not yet; the task goes on."""
        answer = await self._revoked(entrusted)
        if not isinstance(answer, Revocation) and answer is not CredentialUse.LIVING:
            _log.warning("%s hasn't revoked what held %s yet.", entrusted.service_id, entrusted.subject_id)
            return None
        async with self._units_of_work.writing_everywhere() as unit:
            await unit.tasks.remove(entrusted.subject_id)
            await unit.commit()
        return answer

    async def revoke(self, task: Task) -> TaskOutcome:
        """For tasks of the kind REVOKE_CREDENTIAL."""
        try:
            secret = self._secret(task)
        except CredentialUnreadable:
            _log.error("What is to be revoked doesn't open (%s): it stays valid at its service.", task.subject_id)
            return Ended()
        key = task.payload.get("webhookKey")
        service_id = str(task.payload.get("service"))
        answer = await self._revoked(
            Entrusted(task.subject_id, service_id, secret, key if isinstance(key, str) else None)
        )
        if isinstance(answer, Revocation) or answer is CredentialUse.LIVING:
            return Ended()
        code = answer.code if isinstance(answer, ServiceFault) else answer or "service_unknown"
        if self._clock() - _made_at(task.id) > GIVE_UP_AFTER:
            _log.error("A credential (%s) couldn't be revoked, and no more is tried: %s.", task.subject_id, code)
            return Ended()
        if isinstance(answer, CredentialUse):
            return Again(self._clock() + SECOND_TRY)
        wait = None if answer is None else answer.retry_after_seconds
        return Failed(None if wait is None else self._clock() + timedelta(seconds=wait))

    async def _revoked(self, entrusted: Entrusted) -> Revocation | CredentialUse | ServiceFault | None:
        """What the service says, or for what the secret is still needed. None: this server doesn't have the service."""
        service = self._catalogue.find(entrusted.service_id)
        if service is None:
            return None
        key = await _spreads_to(service, entrusted)
        if isinstance(key, ServiceFault):
            return key
        async with self._units_of_work.reading_everywhere() as unit:
            use = await use_of(unit, service.id, entrusted.secret.fingerprint, key)
        return await service.revoke(entrusted.secret) if use is CredentialUse.NONE else use

    def _secret(self, task: Task) -> CredentialSecret:
        sealed = task.payload.get("sealed")
        if task.organization_id is None or not isinstance(sealed, str):
            raise CredentialUnreadable("there is nothing sealed in the task")
        return self._vault.open_apart(task.organization_id, task.subject_id, REVOCATION_USE, sealed)


async def _spreads_to(service: Service, entrusted: Entrusted) -> str | ServiceFault | None:
    """The webhook key of all that the revocation would end; None where that is this credential only."""
    if not service.revocation_spreads or not isinstance(entrusted.secret, OAuthSecret):
        return None
    if entrusted.webhook_key is not None:
        return entrusted.webhook_key
    told = await service.identify(entrusted.secret)
    return told if isinstance(told, ServiceFault) else told.identity.webhook_key


def _made_at(id_: UUID) -> datetime:
    """The moment that is part of every id of version 7."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
