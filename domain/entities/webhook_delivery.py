"""WebhookDelivery: what a service has sent, kept as it came until it is understood, and for replays after that."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class DeliveryState(StrEnum):
    """Where it is."""

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    FAILED = "FAILED"  # not for lack of trying; the log says why


@dataclass(slots=True)
class WebhookDelivery:
    """One delivery. (service, delivery_id) is the service's own name for it: a second one of that name is a repeat."""

    id: UUID
    service: str
    delivery_id: str
    event: str
    body: bytes = field(repr=False)
    received_at: datetime
    state: DeliveryState = DeliveryState.RECEIVED
    processed_at: datetime | None = None
