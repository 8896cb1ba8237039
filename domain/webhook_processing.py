"""WebhookProcessing: what services send by themselves, kept as it came and then applied to whom it is about.

The receiver (`gql/http/webhooks.py`) keeps deliveries, the runner processes them, `tether webhooks replay` has it done
once more.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from domain.entities.event import Actor, ActorKind, ConnectionEventType, EventDraft, StatusReason
from domain.entities.health import HealthCheckTrigger, Remedy
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.webhook_delivery import DeliveryState, WebhookDelivery
from domain.errors import NotFound, ServiceUnavailable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.webhooks import (
    Delivery,
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookMessage,
    Withdrawn,
)
from domain.task_outcome import Ended, TaskOutcome
from domain.webhook_repositories import change_repositories

MOST_TRIES: Final = 10
"""That takes an hour or two; what still stands in the way by then needs somebody who looks at the log."""
BETWEEN_UNPROVEN_SYNCS: Final = timedelta(minutes=5)
"""From the beginning or end of one to the next that nobody has vouched for."""

_log: Final = logging.getLogger(__name__)


class WebhookProcessing:
    """Whatever is done twice here has its effect once: each connection hears of each delivery one time."""

    def __init__(self, units_of_work: UnitsOfWork, catalogue: ServiceCatalogue, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._clock = clock

    async def keep(self, service_id: str, delivery: Delivery) -> bool:
        """Store a verified delivery together with the task of processing it; False for a repeat, which changes nothing.

        Raises ServiceUnavailable.
        """
        kept = WebhookDelivery(new_id(), service_id, delivery.id, delivery.event, delivery.body, self._clock())
        async with self._units_of_work.writing_everywhere() as unit:
            if not await unit.webhook_deliveries.add(kept):
                return False
            await self._put_task(unit, kept)
            await unit.commit()
        return True

    async def run(self, task: Task) -> TaskOutcome:
        """What the runner does for PROCESS_WEBHOOK. A delivery that fails again and again is left to a replay."""
        if task.attempts <= MOST_TRIES:
            await self.process(task.subject_id)
            return None
        async with self._units_of_work.reading_everywhere() as unit:
            kept = await unit.webhook_deliveries.find(task.subject_id)
        if kept is not None:
            _log.error("Webhook %s of %s was given up after %d tries", kept.delivery_id, kept.service, MOST_TRIES)
            await self._close(kept, DeliveryState.FAILED)
        return Ended()

    async def process(self, delivery_id: UUID) -> None:
        """Apply a stored delivery to every connection that it is about, each in a unit of its own.

        Raises ServiceUnavailable; what has been applied by then stays, and is left out the next time.
        """
        async with self._units_of_work.reading_everywhere() as unit:
            kept = await unit.webhook_deliveries.find(delivery_id)
        if kept is None:
            return  # forgotten since
        service = self._catalogue.find(kept.service)
        if service is None or service.webhooks is None:
            _log.warning("Webhook %s waits for a replay: no secret of %s is set here", kept.delivery_id, kept.service)
            await self._close(kept, DeliveryState.FAILED)
            return
        message = service.webhooks.read(Delivery(kept.delivery_id, kept.event, kept.body))
        async with self._units_of_work.reading_everywhere() as unit:
            reached = await unit.organizations.connections_reached(service.id, message.keys)
        failures = 0
        for organization_id, connection_id in reached:
            try:
                await self._tell(organization_id, connection_id, kept, service, message)
            except ServiceUnavailable:
                raise
            except Exception:  # noqa: BLE001 - one connection's trouble is no reason for the others not to hear
                _log.exception("Webhook %s of %s failed for %s", kept.delivery_id, kept.service, connection_id)
                failures += 1
        if failures:
            raise RuntimeError(f"webhook {kept.id} failed for {failures} of {len(reached)} connections")
        await self._close(kept, DeliveryState.PROCESSED)

    async def replay(self, service_id: str, delivery_id: str) -> WebhookDelivery | None:
        """Have the stored delivery processed again that the service knows by this id. Raises ServiceUnavailable."""
        async with self._units_of_work.writing_everywhere() as unit:
            kept = await unit.webhook_deliveries.find_delivered(service_id, delivery_id)
            if kept is not None:
                await self._put_task(unit, kept)
                await unit.commit()
        return kept

    async def replay_since(self, service_id: str, since: datetime) -> AsyncIterator[WebhookDelivery]:
        """Have everything processed again that the service has sent since then. Raises ServiceUnavailable."""
        after: UUID | None = None
        while True:
            async with self._units_of_work.writing_everywhere() as unit:
                page = await unit.webhook_deliveries.received(service_id, since, after=after)
                for kept in page:
                    await self._put_task(unit, kept)
                await unit.commit()
            if not page:
                return
            for kept in page:
                yield kept
            after = page[-1].id

    async def _put_task(self, unit: UnitOfWork, kept: WebhookDelivery) -> None:
        await unit.tasks.put(Task(new_id(), TaskKind.PROCESS_WEBHOOK, kept.id, None, self._clock()))

    async def _tell(
        self,
        organization_id: UUID,
        connection_id: UUID,
        kept: WebhookDelivery,
        service: Service,
        message: WebhookMessage,
    ) -> None:
        """One connection hears of a delivery, unless it has before: its event is named for the two of them."""
        event_id = uuid5(kept.id, str(connection_id))
        async with self._units_of_work.writing(organization_id) as unit:
            try:
                connection = await unit.connections.get(connection_id)
            except NotFound:
                return  # deleted since
            if await unit.events.has(event_id):
                return
            now = self._clock()
            told_at = min(_told_at(kept, message), now)
            data = {**message.event, "deliveryId": kept.delivery_id}
            events = [connection.webhook_received(event_id, data, now)]
            for effect in message.effects:
                if isinstance(effect, RepositoriesChanged):
                    complete = await change_repositories(unit, connection, effect, told_at)
                    if not complete and service.repositories is not None:
                        due_at = await _next_unproven_sync(unit, connection, now) if effect.unproven else now
                        sync = Task(new_id(), TaskKind.SYNC_REPOSITORIES, connection.id, organization_id, due_at)
                        await unit.tasks.put(sync)
                        if not effect.unproven:
                            await unit.repository_syncs.want(connection.id, now)  # one that is running says too little
                else:
                    events += _apply(effect, connection, service, told_at, now)
            if message.effects:
                moved = any(event.type is ConnectionEventType.STATUS_CHANGED for event in events)
                await unit.connections.save(connection, keep_version=not moved)
            await unit.events.append(events, Actor(ActorKind.SERVICE, service.name))
            await unit.commit()

    async def _close(self, kept: WebhookDelivery, state: DeliveryState) -> None:
        kept.state, kept.processed_at = state, self._clock()
        with suppress(NotFound):  # forgotten meanwhile
            async with self._units_of_work.writing_everywhere() as unit:
                await unit.webhook_deliveries.save(kept)
                await unit.commit()


async def _next_unproven_sync(unit: UnitOfWork, connection: ServiceConnection, now: datetime) -> datetime:
    """Now, or some time after the latest one: who makes reports up gets no call at the service for each."""
    state = await unit.repository_syncs.find(connection.id)
    latest = None if state is None else state.started_at or state.completed_at
    return now if latest is None else max(now, latest + BETWEEN_UNPROVEN_SYNCS)


def _told_at(kept: WebhookDelivery, message: WebhookMessage) -> datetime:
    """Of when it is news. Services tell whole seconds: the end of that second, if we didn't hear of it before."""
    if message.occurred_at is None:
        return kept.received_at
    return min(message.occurred_at + timedelta(seconds=1), kept.received_at)


def _apply(
    effect: Withdrawn | Suspended | Unsuspended | ScopesChanged,
    connection: ServiceConnection,
    service: Service,
    told_at: datetime,
    now: datetime,
) -> list[EventDraft]:
    match effect:
        case Withdrawn():
            reason = StatusReason(effect.code.upper(), effect.message, Remedy.RECONNECT)
            return connection.withdraw(reason, told_at=told_at, now=now)
        case Suspended():
            reason = StatusReason(effect.code.upper(), effect.message, Remedy.CONTACT_ADMIN)
            return connection.suspend(reason, told_at=told_at, now=now)
        case Unsuspended():
            reason = StatusReason("UNSUSPENDED", f"{service.name} has ended the suspension.", Remedy.NONE)
            return connection.unsuspend(reason, told_at=told_at, now=now)
        case ScopesChanged():
            connection.check_soon(now, HealthCheckTrigger.WEBHOOK)
            return []
