"""Whom an address from outside is about: the owner of a repository, the connections that a webhook means."""

from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Membership, Role, Viewer
from domain.ports import UnitOfWork
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, repository, service_connection, stored_connection

pytestmark = pytest.mark.anyio


async def test_a_repository_has_an_owner_while_its_connection_lives(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID
) -> None:
    kept = [repository(await stored_connection(units, owner), "octo/apple") for owner in (acme, globex)]
    for each in kept:
        async with units.writing(each.organization_id) as unit:
            await unit.repositories.add_all([each])
            await unit.commit()
    async with units.writing_everywhere() as unit:
        await unit.memberships.add(Membership(globex, ada, Role.MEMBER, NOW))
        await unit.commit()
    viewer = Viewer(ada, "Ada", Role.OWNER)
    for begin in (units.reading_everywhere, lambda: units.reading_for(viewer)):
        async with begin() as unit:
            assert await unit.organizations.owning_repository(kept[0].id, ada) is None  # she isn't a member there
            assert await unit.organizations.owning_repository(kept[1].id, ada) == (globex, Role.MEMBER)
            assert await unit.organizations.owning_connection(kept[1].connection_id, ada) == (globex, Role.MEMBER)
            assert await unit.organizations.owning_repository(new_id(), ada) is None
    async with units.writing(globex) as unit:
        await _delete(unit, kept[1].connection_id)
        assert await unit.organizations.owning_repository(kept[1].id, ada) is None
        assert await unit.organizations.owning_connection(kept[1].connection_id, ada) is None


async def test_a_webhook_reaches_the_living_connections_of_its_keys_in_every_organization(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    first = await _reachable(units, acme, "1")
    second = await _reachable(units, globex, "2")
    also_first = await _reachable(units, globex, "1")
    await _reachable(units, acme, "3")
    await _reachable(units, acme, "1", service="slack")
    await _reachable(units, acme, None)
    deleted = await _reachable(units, globex, "1")
    async with units.writing(globex) as unit:
        await _delete(unit, deleted.id)
        await unit.commit()
    async with units.reading_everywhere() as unit:
        assert await unit.organizations.connections_reached("github", ["2", "1", "9"]) == [
            (reached.organization_id, reached.id) for reached in (first, second, also_first)
        ]
        assert await unit.organizations.connections_reached("github", ["9"]) == []
        assert await unit.organizations.connections_reached("github", []) == []


async def _reachable(
    units: SqlUnitsOfWork, organization_id: UUID, webhook_key: str | None, *, service: str = "github"
) -> ServiceConnection:
    connection = service_connection(organization_id, name=str(new_id()))
    connection.service, connection.webhook_key = service, webhook_key
    async with units.writing(organization_id) as unit:
        await unit.connections.add(connection)
        await unit.commit()
    return connection


async def _delete(unit: UnitOfWork, connection_id: UUID) -> None:
    connection = await unit.connections.get(connection_id)
    connection.delete(NOW)
    await unit.connections.save(connection)
