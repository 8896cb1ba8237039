"""ConnectionStateReader, on both databases: connections that are alike are one group, its foremost those to prefer."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.command_selector import Candidate, place_of
from domain.connection_states import AboutConnections, OrganizationState
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import ServiceRateLimit
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Membership, Role, Viewer
from persistence.connection_state_reader import ConnectionStateReader
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, credential, repository, service_connection

pytestmark = pytest.mark.anyio


async def _stored(units: SqlUnitsOfWork, organization_id: UUID, count: int) -> list[ServiceConnection]:
    """Connections of two kinds, each used at another time or never, with another quota, label and repository."""
    draw, stored = random.Random(8), []  # noqa: S311 - draws, not secrets
    async with units.writing(organization_id) as unit:
        for number in range(count):
            connection = service_connection(organization_id, f"C{number}")
            connection.status = draw.choice([ConnectionStatus.ACTIVE, ConnectionStatus.INACTIVE])
            connection.labels = draw.choice([{}, {"channel": "C1"}, {"channel": "C2"}])
            limit = ServiceRateLimit(
                limit=100, remaining=draw.choice([1, 49, 50, 100]), reset_at=NOW + timedelta(hours=1)
            )
            connection.rate_limit = draw.choice([None, limit])
            await unit.connections.add(connection)
            secret = credential(connection)
            secret.expires_at = None
            secret.last_used_at = draw.choice([None, *(NOW - timedelta(minutes=minutes) for minutes in (0, 1, 2))])
            await unit.credentials.add(secret)
            listed = [repository(connection, name) for name in ("acme/shop", "acme/api") if draw.random() < 0.5]
            for each in listed:
                each.selected = draw.random() < 0.5
            await unit.repositories.add_all(listed)
            stored.append(connection)
        await unit.commit()
    return stored


async def test_the_foremost_of_a_group_are_those_that_the_selector_would_put_first(
    database: Database, units: SqlUnitsOfWork, acme: UUID, ada: UUID
) -> None:
    async with units.writing(acme) as unit:
        await unit.memberships.add(Membership(acme, ada, Role.MEMBER, NOW))
        await unit.commit()
    connections = await _stored(units, acme, 40)
    async with units.reading(acme) as unit:
        repositories = [each for one in connections for each in await unit.repositories.list(one.id)]
    shop = next(each for each in repositories if each.full_name == "acme/shop")
    reader, viewer = ConnectionStateReader(database), Viewer(ada, "Ada", Role.OWNER)

    async def read(foremost: int, **about: Any) -> OrganizationState:
        state = await reader.read(viewer, acme, AboutConnections(foremost, ["github"], **about), NOW)
        assert state is not None
        assert state.role is Role.MEMBER
        return state

    cases: list[dict[str, Any]] = [
        {},
        {"connection_id": connections[7].id},
        {"repository_id": shop.id},
        {"repository_name": "ACME/Shop"},
        {"channel": "C1", "event_connection_id": connections[9].id},
    ]
    for about in cases:
        whole, few = await read(1_000, **about), await read(3, **about)
        assert sum(group.size for group in whole.groups) == len(connections)
        cut = {group.state: group for group in few.groups}
        assert len(cut) == len(whole.groups) <= 4
        assert any(group.size > 10 for group in whole.groups)
        for group in whole.groups:
            candidates = [Candidate("github.comment", each, group.state.health, ()) for each in group.foremost]
            ordered = [each.connection for each in sorted(candidates, key=place_of)]
            assert list(group.foremost) == ordered
            assert (cut[group.state].size, list(cut[group.state].foremost)) == (len(ordered), ordered[:3])
        assert any(each.explicit for group in whole.groups for each in group.foremost) is ("connection_id" in about)
    exact = [each for group in (await read(1_000, repository_id=shop.id)).groups for each in group.foremost]
    assert [each.id for each in exact if each.bound == 2] == [shop.connection_id]
    through = [each for group in (await read(1_000, **cases[-1])).groups for each in group.foremost]
    assert {each.id for each in through if each.bound == 2} == {
        each.id for each in connections if each.labels.get("channel") == "C1"
    }
    assert {each.bound for each in through if each.id == connections[9].id} <= {1, 2}
    tenths = {each.quota_left for group in (await read(1_000)).groups for each in group.foremost}
    assert tenths == {0, 4, 5, 10}


async def test_an_organization_without_connections_has_no_groups(
    database: Database, units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID
) -> None:
    async with units.writing(acme) as unit:
        await unit.memberships.add(Membership(acme, ada, Role.VIEWER, NOW))
        await unit.commit()
    reader, viewer = ConnectionStateReader(database), Viewer(ada, "Ada", Role.OWNER)
    for foremost in (0, 5):
        state = await reader.read(viewer, acme, AboutConnections(foremost, ["github"]), NOW)
        assert state is not None
        assert (state.role, state.repository, state.groups) == (Role.VIEWER, None, [])
    assert await reader.read(viewer, globex, AboutConnections(5, ["github"]), NOW) is None
