"""CredentialRevocations: has services forget credentials, at once where they can and by a task where they can't yet.

Used where a credential ends: deletion, abandoned authorization flows, refreshes that nobody is left for; and run by the
runner. That a secret is to be revoked is stored, sealed in the task, before its service is asked: it survives this
process, and is forgotten with the task.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.services.base import Revocation
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault
from domain.task_outcome import Ended, Failed, TaskOutcome

GIVE_UP_AFTER: Final = timedelta(days=7)
SECOND_TRY: Final = timedelta(minutes=1)
"""When the task has its turn: longer than a call may take, so that it doesn't meet the first try."""
REVOCATION_USE: Final = "revocation"
"""What the payload's secret is sealed for, with the id of the task's subject."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entrusted:
    """A secret that is going to be revoked. `subject_id` is what held it until now: a credential, or a flow."""

    subject_id: UUID
    service_id: str
    secret: CredentialSecret = field(repr=False)


class CredentialRevocations:
    """Tries for a week. A secret that some living connection has as well is left alone."""

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
        self, unit: UnitOfWork, organization_id: UUID, subject_id: UUID, service_id: str, secret: CredentialSecret
    ) -> Entrusted:
        """Store that it is to be revoked, in the unit that ends what held it. Then `attempt` it."""
        sealed = self._vault.seal_apart(organization_id, subject_id, REVOCATION_USE, secret)
        await unit.tasks.put(
            Task(
                new_id(),
                TaskKind.REVOKE_CREDENTIAL,
                subject_id,
                organization_id,
                self._clock() + SECOND_TRY,
                payload={"service": service_id, "sealed": sealed},
            )
        )
        return Entrusted(subject_id, service_id, secret)

    async def attempt(self, entrusted: Entrusted) -> Revocation | None:
        """Ask the service, with no transaction open. None: not yet; the task goes on."""
        service = self._catalogue.find(entrusted.service_id)
        answer = None if service is None else await service.revoke(entrusted.secret)
        if answer is None or isinstance(answer, ServiceFault):
            _log.warning("%s hasn't revoked what held %s yet.", entrusted.service_id, entrusted.subject_id)
            return None
        async with self._units_of_work.writing() as unit:
            await unit.tasks.remove(entrusted.subject_id)
            await unit.commit()
        return answer

    async def revoke(self, task: Task) -> TaskOutcome:
        """For tasks of the kind REVOKE_CREDENTIAL."""
        service_id = str(task.payload.get("service"))
        try:
            secret = self._secret(task)
        except CredentialUnreadable:
            _log.error("What is to be revoked doesn't open (%s): it stays valid at its service.", task.subject_id)
            return Ended()
        async with self._units_of_work.reading() as unit:
            if await unit.organizations.credential_held(service_id, secret.fingerprint):
                return Ended()
        service = self._catalogue.find(service_id)
        answer = None if service is None else await service.revoke(secret)
        if answer is not None and not isinstance(answer, ServiceFault):
            return Ended()
        code = "service_unknown" if answer is None else answer.code
        if self._clock() - _made_at(task.id) > GIVE_UP_AFTER:
            _log.error("A credential (%s) couldn't be revoked, and no more is tried: %s.", task.subject_id, code)
            return Ended()
        wait = None if answer is None else answer.retry_after_seconds
        return Failed(None if wait is None else self._clock() + timedelta(seconds=wait))

    def _secret(self, task: Task) -> CredentialSecret:
        sealed = task.payload.get("sealed")
        if task.organization_id is None or not isinstance(sealed, str):
            raise CredentialUnreadable("there is nothing sealed in the task")
        return self._vault.open_apart(task.organization_id, task.subject_id, REVOCATION_USE, sealed)


def _made_at(id_: UUID) -> datetime:
    """The moment that is part of every id of version 7."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
