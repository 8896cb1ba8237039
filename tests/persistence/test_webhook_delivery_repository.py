"""The contract of WebhookDeliveryRepository, on both databases: of two deliveries of one name, one is kept."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.entities.identifiers import new_id
from domain.entities.webhook_delivery import DeliveryState, WebhookDelivery
from domain.errors import NotFound
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio


async def test_a_delivery_comes_back_byte_by_byte(units: SqlUnitsOfWork) -> None:
    kept = replace(_delivery("1"), body=bytes(range(256)))
    assert await _add(units, kept) is True
    async with units.reading_everywhere() as unit:
        assert await unit.webhook_deliveries.find(kept.id) == kept
        assert await unit.webhook_deliveries.find_delivered("github", "1") == kept
        assert await unit.webhook_deliveries.find_delivered("slack", "1") is None
        assert await unit.webhook_deliveries.find(new_id()) is None


async def test_of_equal_deliveries_at_once_one_is_kept(units: SqlUnitsOfWork) -> None:
    repeats = [_delivery("1") for _ in range(5)]
    added = await asyncio.gather(*(_add(units, repeat) for repeat in repeats))
    assert sorted(added) == [False] * 4 + [True]
    assert await _add(units, replace(_delivery("1"), service="slack")) is True
    async with units.reading_everywhere() as unit:
        assert await unit.webhook_deliveries.find_delivered("github", "1") == repeats[added.index(True)]


async def test_what_became_of_a_delivery_is_kept(units: SqlUnitsOfWork) -> None:
    kept, other = _delivery("1"), _delivery("2")
    await _add(units, kept)
    await _add(units, other)
    kept.state, kept.processed_at = DeliveryState.PROCESSED, NOW + timedelta(seconds=1)
    async with units.writing_everywhere() as unit:
        await unit.webhook_deliveries.save(kept)
        await unit.commit()
    async with units.writing_everywhere() as unit:
        assert await unit.webhook_deliveries.find(kept.id) == kept
        assert await unit.webhook_deliveries.find(other.id) == other
        with pytest.raises(NotFound):
            await unit.webhook_deliveries.save(_delivery("3"))


async def test_a_services_deliveries_since_a_moment_come_in_the_order_of_their_ids(units: SqlUnitsOfWork) -> None:
    early, *since = [_delivery(str(number), NOW + timedelta(seconds=number)) for number in range(4)]
    for delivery in (early, *reversed(since), replace(_delivery("9", since[0].received_at), service="slack")):
        await _add(units, delivery)
    async with units.reading_everywhere() as unit:
        from_then = since[0].received_at
        assert await unit.webhook_deliveries.received("github", from_then) == since
        assert await unit.webhook_deliveries.received("github", from_then, limit=2) == since[:2]
        assert await unit.webhook_deliveries.received("github", from_then, after=since[1].id) == since[2:]


async def test_old_deliveries_are_forgotten_the_oldest_first_but_never_one_that_waits(units: SqlUnitsOfWork) -> None:
    over = [
        replace(_delivery(f"over {age}", NOW - timedelta(days=age)), state=state)
        for age, state in [(1, DeliveryState.PROCESSED), (3, DeliveryState.FAILED), (2, DeliveryState.PROCESSED)]
    ]
    stay = [
        _delivery("waits", NOW - timedelta(days=4)),
        replace(_delivery("recent"), state=DeliveryState.PROCESSED),
    ]
    for delivery in (*over, *stay):
        await _add(units, delivery)
    async with units.writing_everywhere() as unit:
        assert await unit.webhook_deliveries.forget(NOW, 2) == 2
        assert await unit.webhook_deliveries.find(over[0].id) == over[0]
        assert await unit.webhook_deliveries.forget(NOW, 2) == 1
        assert await unit.webhook_deliveries.forget(NOW, 2) == 0
        assert [await unit.webhook_deliveries.find(delivery.id) for delivery in stay] == stay


def _delivery(delivery_id: str, received_at: datetime = NOW) -> WebhookDelivery:
    return WebhookDelivery(new_id(), "github", delivery_id, "push", b"{}", received_at)


async def _add(units: SqlUnitsOfWork, delivery: WebhookDelivery) -> bool:
    async with units.writing_everywhere() as unit:
        added = await unit.webhook_deliveries.add(delivery)
        await asyncio.sleep(0)
        await unit.commit()
        return added
