"""Webhook deliveries as rows: of two of the same name, also at once, one is kept.

Reached as `unit.webhook_deliveries`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, select, update

from domain.entities.webhook_delivery import DeliveryState, WebhookDelivery
from domain.errors import NotFound
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import webhook_deliveries
from persistence.transaction import Transaction

_c = webhook_deliveries.c


class SqlWebhookDeliveryRepository:
    """Implements WebhookDeliveryRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, delivery: WebhookDelivery) -> bool:
        return await insert_if_new(self._transaction, webhook_deliveries, _values(delivery))

    async def find(self, delivery: UUID) -> WebhookDelivery | None:
        return await self._one(_c.id == delivery)

    async def find_delivered(self, service: str, delivery_id: str) -> WebhookDelivery | None:
        return await self._one(_c.service == service, _c.delivery_id == delivery_id)

    async def received(
        self, service: str, since: datetime, *, after: UUID | None = None, limit: int = 20
    ) -> Sequence[WebhookDelivery]:
        statement = select(webhook_deliveries).where(_c.service == service, _c.received_at >= since)
        if after is not None:
            statement = statement.where(_c.id > after)
        rows = await self._transaction.execute(statement.order_by(_c.id).limit(limit))
        return [_entity(row) for row in rows]

    async def save(self, delivery: WebhookDelivery) -> None:
        """Raises NotFound if it was forgotten meanwhile."""
        saved = await self._transaction.execute(
            update(webhook_deliveries).where(_c.id == delivery.id).values(_values(delivery))
        )
        if saved.rowcount == 0:
            raise NotFound("There is no webhook delivery with this id.")

    async def forget(self, received_before: datetime, limit: int) -> int:
        """The oldest first."""
        over = select(_c.id).where(_c.received_at < received_before, _c.state != DeliveryState.RECEIVED.value)
        oldest = over.order_by(_c.received_at).limit(limit)
        forgotten = await self._transaction.execute(delete(webhook_deliveries).where(_c.id.in_(oldest)))
        return forgotten.rowcount

    async def _one(self, *conditions: ColumnElement[bool]) -> WebhookDelivery | None:
        row = (await self._transaction.execute(select(webhook_deliveries).where(*conditions))).one_or_none()
        return None if row is None else _entity(row)


def _values(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "service": delivery.service,
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "body": delivery.body,
        "received_at": delivery.received_at,
        "state": delivery.state.value,
        "processed_at": delivery.processed_at,
    }


def _entity(row: Row[Any]) -> WebhookDelivery:
    return WebhookDelivery(
        id=row.id,
        service=row.service,
        delivery_id=row.delivery_id,
        event=row.event,
        body=row.body,
        received_at=row.received_at,
        state=DeliveryState(row.state),
        processed_at=row.processed_at,
    )
