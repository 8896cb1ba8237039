"""The contract of ServiceIncidentRepository, on both databases: what one process finds out, all of them go by."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.entities.service_incident import ServiceIncident
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.conftest import add_organization
from tests.persistence.entities import NOW, service_connection

pytestmark = pytest.mark.anyio

PROBE_AT = NOW + timedelta(seconds=10)
LATER = NOW + timedelta(seconds=40)
ONE_PROBE = timedelta(seconds=30)


def _incident(service: str = "github", host: str = "api.github.com") -> ServiceIncident:
    return ServiceIncident(new_id(), service, host, f"{service}_down", "It answers nobody.", NOW, PROBE_AT)


async def test_an_incident_is_open_until_it_ends_and_kept_after_that(units: SqlUnitsOfWork) -> None:
    incident = _incident()
    assert await _begin(units, incident)
    assert await _open(units) == [incident]
    async with units.writing_everywhere() as unit:
        assert await unit.service_incidents.end(incident.id, LATER)
        assert not await unit.service_incidents.end(incident.id, LATER + timedelta(seconds=1))
        assert not await unit.service_incidents.end(new_id(), LATER)
        await unit.commit()
    assert await _open(units) == []
    async with units.reading_everywhere() as unit:
        assert await unit.service_incidents.find(incident.id) == replace(incident, ended_at=LATER)
        assert await unit.service_incidents.find(new_id()) is None


async def test_there_is_one_at_a_time_for_a_service_on_a_host(units: SqlUnitsOfWork) -> None:
    first, elsewhere, other = _incident(), _incident(host="github.example"), _incident("slack", "slack.com")
    assert [await _begin(units, each) for each in (first, _incident(), elsewhere, other)] == [True, False, True, True]
    assert {each.id for each in await _open(units)} == {first.id, elsewhere.id, other.id}
    async with units.writing_everywhere() as unit:
        await unit.service_incidents.end(first.id, LATER)
        await unit.commit()
    assert await _begin(units, _incident())


async def test_of_those_that_are_begun_at_once_one_is(units: SqlUnitsOfWork) -> None:
    begun = await asyncio.gather(*(_begin(units, _incident()) for _ in range(8)))
    assert sorted(begun) == [False] * 7 + [True]
    assert len(await _open(units)) == 1


async def test_a_probe_is_taken_once_when_it_is_time_for_it(units: SqlUnitsOfWork) -> None:
    incident = _incident()
    await _begin(units, incident)

    async def take(now: datetime) -> bool:
        async with units.writing_everywhere() as unit:
            taken = await unit.service_incidents.take_probe(incident.id, now, LATER, latest=now + ONE_PROBE)
            await unit.commit()
        return taken

    assert not await take(PROBE_AT - timedelta(microseconds=1))
    assert sorted(await asyncio.gather(*(take(PROBE_AT) for _ in range(8)))) == [False] * 7 + [True]
    assert await _open(units) == [replace(incident, next_probe_at=LATER)]
    assert not await take(LATER - ONE_PROBE)
    assert await take(LATER - ONE_PROBE - timedelta(microseconds=1))  # it is set by a clock that was ahead
    async with units.writing_everywhere() as unit:
        await unit.service_incidents.end(incident.id, LATER)
        assert not await unit.service_incidents.take_probe(incident.id, LATER, LATER, latest=LATER)


async def test_organizations_that_are_affected_come_in_pages(units: SqlUnitsOfWork) -> None:
    checked: dict[UUID, set[UUID]] = {}
    for number in range(5):
        organization = await add_organization(units, f"organization-{number}")
        checked[organization] = {await _connected(units, organization) for _ in range(number % 2 + 1)}
        await _connected(units, organization, checked=False)
        await _connected(units, organization, service="slack")
    paused = await add_organization(units, "paused")
    named = {**checked, paused: {await _connected(units, paused, checked=False)}}
    await _connected(units, await add_organization(units, "elsewhere"), service="slack")
    found: list[tuple[UUID, UUID, int]] = []
    async with units.reading_everywhere() as unit:
        while page := await unit.service_incidents.affected("github", after=found[-1][0] if found else None, limit=2):
            assert len(page) <= 2
            found += page
        assert await unit.service_incidents.affected("gitlab", after=None, limit=2) == []
    assert [organization for organization, _, _ in found] == sorted(named)
    assert all(one in named[organization] for organization, one, _ in found)
    assert {organization: number for organization, _, number in found} == {
        organization: len(checked.get(organization, ())) for organization in named
    }


async def _connected(
    units: SqlUnitsOfWork, organization_id: UUID, *, checked: bool = True, service: str = "github"
) -> UUID:
    connection = replace(service_connection(organization_id, f"Octo {new_id()}"), service=service)
    connection.health.next_check_at = NOW if checked else None
    async with units.writing(organization_id) as unit:
        await unit.connections.add(connection)
        await unit.commit()
    return connection.id


async def _begin(units: SqlUnitsOfWork, incident: ServiceIncident) -> bool:
    async with units.writing_everywhere() as unit:
        begun = await unit.service_incidents.begin(incident)
        await unit.commit()
    return begun


async def _open(units: SqlUnitsOfWork) -> Sequence[ServiceIncident]:
    async with units.reading_everywhere() as unit:
        return await unit.service_incidents.open()
