"""CredentialRevocations: asks services again to forget credentials, where they couldn't at first. Run by the runner.

The credential itself is gone by then. What is left of it, sealed, lives in the task, and is forgotten with it.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.credential import ServiceCredential
from domain.entities.health import Json
from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from domain.errors import CredentialUnreadable
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault
from domain.task_outcome import Ended, Failed, TaskOutcome

GIVE_UP_AFTER: Final = timedelta(days=7)
REVOCATION_USE: Final = "revocation"
"""What the payload's secret is sealed for, with the id of the task's subject."""

_log: Final = logging.getLogger(__name__)


class CredentialRevocations:
    """Tries for a week."""

    def __init__(self, catalogue: ServiceCatalogue, vault: CredentialVault, clock: Callable[[], datetime]) -> None:
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock

    async def revoke(self, task: Task) -> TaskOutcome:
        """For tasks of the kind REVOKE_CREDENTIAL."""
        service = self._catalogue.find(str(task.payload.get("service")))
        try:
            secret = self._secret(task)
        except CredentialUnreadable:
            _log.error("What is to be revoked doesn't open (%s): it stays valid at its service.", task.subject_id)
            return Ended()
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


def revocation_task(
    vault: CredentialVault, credential: ServiceCredential, service_id: str, secret: CredentialSecret, due_at: datetime
) -> Task:
    """The task for what a connection's credential held, to be put in the unit of work that removes it."""
    return revocation_task_of(vault, credential.organization_id, credential.id, service_id, secret, due_at)


def revocation_task_of(
    vault: CredentialVault,
    organization_id: UUID,
    subject_id: UUID,
    service_id: str,
    secret: CredentialSecret,
    due_at: datetime,
) -> Task:
    """The same for what never became a connection's. `subject_id`: what held it until now."""
    sealed = vault.seal_apart(organization_id, subject_id, REVOCATION_USE, secret)
    payload: dict[str, Json] = {"service": service_id, "sealed": sealed}
    return Task(new_id(), TaskKind.REVOKE_CREDENTIAL, subject_id, organization_id, due_at, payload=payload)


def _made_at(id_: UUID) -> datetime:
    """The moment that is part of every id of version 7."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
