"""What a deleted connection leaves behind is forgotten after a while, but for its history."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.event import SCHEDULER
from domain.entities.health import ExternalAccount
from domain.entities.health_day import HealthDay
from domain.entities.service_connection import ServiceConnection
from domain.work_ports import ConnectionKey
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, health_check, repository, service_connection

pytestmark = pytest.mark.anyio

LATER = NOW + timedelta(days=30)


async def stored(units: SqlUnitsOfWork, organization_id: UUID, name: str) -> ServiceConnection:
    connection = service_connection(organization_id, name=name)
    connection.external_account = ExternalAccount("1", "octo", "https://github.example/octo", None)
    connection.labels, connection.webhook_key = {"team": "platform"}, "account:1"
    async with units.writing(organization_id) as unit:
        await unit.connections.add(connection)
        await unit.repositories.add_all([repository(connection, "octo/one")])
        await unit.health_checks.add(health_check(connection))
        await unit.events.append([connection.created()], SCHEDULER)
        await unit.commit()
    async with units.writing_everywhere() as unit:
        await unit.health_history.add_days(ConnectionKey(organization_id, connection.id), [HealthDay(NOW)])
        await unit.commit()
    return connection


async def delete(units: SqlUnitsOfWork, connection: ServiceConnection) -> None:
    async with units.writing(connection.organization_id) as unit:
        found = await unit.connections.get(connection.id)
        await unit.events.append(found.delete(NOW), SCHEDULER)
        await unit.connections.save(found)
        await unit.commit()


async def forget(units: SqlUnitsOfWork, limit: int = 10) -> int:
    async with units.writing_everywhere() as unit:
        forgotten = await unit.deleted_connections.forget(LATER, limit)
        await unit.commit()
    return forgotten


async def left(units: SqlUnitsOfWork, connection: ServiceConnection) -> int:
    async with units.reading(connection.organization_id) as unit:
        return len(await unit.repositories.list(connection.id))


async def test_only_what_was_deleted_long_enough_ago_is_forgotten(units: SqlUnitsOfWork, acme: UUID) -> None:
    gone, living = await stored(units, acme, "Gone"), await stored(units, acme, "Living")
    await delete(units, gone)
    async with units.writing_everywhere() as unit:
        assert await unit.deleted_connections.forget(NOW - timedelta(seconds=1), 10) == 0
    assert await left(units, gone) == 1

    assert await forget(units) == 1
    assert (await left(units, gone), await left(units, living)) == (0, 1)
    async with units.reading(acme) as unit:
        kept = await unit.connections.find(living.id)
    assert kept is not None
    assert kept.external_account == living.external_account
    assert kept.labels == living.labels


async def test_it_ends_and_goes_batch_by_batch(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    for organization_id in (acme, globex):
        for number in range(2):
            await delete(units, await stored(units, organization_id, f"N{number}"))
    assert [await forget(units, limit=3) for _ in range(3)] == [3, 1, 0]
