"""ExpiryWarnings: tells an organization that a credential ends soon, and no refresh helps. Run by the runner."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.credential_schedule import next_warning_at, warning_at
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER
from domain.entities.task import Task
from domain.errors import NotFound
from domain.ports import UnitsOfWork
from domain.task_outcome import Again, Ended, Settled, TaskOutcome

_ENDED: Final = {ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED}
_DAY: Final = timedelta(days=1)
_log: Final = logging.getLogger(__name__)


class ExpiryWarnings:
    """Warns seven days and one day ahead, once each: the event and the task's next turn are stored together."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._clock = clock

    async def warn(self, task: Task) -> TaskOutcome:
        """For tasks of the kind WARN_OF_EXPIRY."""
        if task.organization_id is None:
            raise AssertionError("a credential is an organization's")
        async with self._units_of_work.writing(task.organization_id) as unit:
            connection = await unit.connections.get(task.subject_id)
            credential = await unit.credentials.find(connection.id)
            if credential is None:
                raise NotFound.connection()
            now = self._clock()
            at, end = warning_at(credential, now), credential.ends_at
            if at is None or end is None or connection.status in _ENDED:
                return Ended()
            if at > now:
                return Again(at)  # it was put for an earlier credential
            days_left = -((now - end) // _DAY)
            next_at = next_warning_at(credential, now)
            kept = (
                await unit.tasks.finish(task) if next_at is None else await unit.tasks.repeat(task, next_at, attempts=0)
            )
            if not kept:
                _log.warning("The warning of %s is another process's: the lease had ended.", connection.id)
                return Settled()
            await unit.connections.save(connection, keep_version=True)
            await unit.events.append([connection.credentials_expiring(end, days_left, now)], SCHEDULER)
            await unit.commit()
        return Settled()
