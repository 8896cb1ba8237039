"""The contract of HealthCheckRepository, on both databases: the latest check is whole, also where it shares probes."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.due_check import UnchangedCheck
from domain.entities.health import (
    HealthCheck,
    HealthCheckTrigger,
    HealthStatus,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, PROBES, credential, health_check, service_connection, stored_connection

pytestmark = pytest.mark.anyio


async def test_what_a_check_found_comes_back(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    check = replace(
        health_check(connection),
        status=HealthStatus.DEGRADED,
        verdict=Verdict.INCONCLUSIVE,
        message="Few calls are left.",
        trigger=HealthCheckTrigger.USE,
        probes=PROBES,
    )
    await _add(units, check)
    assert await _latest(units, connection) == check


async def test_the_latest_is_the_one_that_began_last_and_of_these_the_one_made_last(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    connection, other = await stored_connection(units, acme), await stored_connection(units, globex)
    assert await _latest(units, connection) is None
    late = replace(health_check(connection), started_at=NOW + timedelta(microseconds=2))
    later = replace(late, id=new_id())
    await _add(units, later, late, replace(health_check(connection), latency_ms=7))
    await _add(units, replace(health_check(other), started_at=NOW + timedelta(hours=1)))
    assert await _latest(units, connection) == max(late, later, key=lambda check: check.id)
    async with units.reading(acme) as unit:
        assert await unit.health_checks.latest(other.id) is None


async def test_one_without_news_has_the_probes_of_the_check_that_made_the_diagnosis(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    connection = service_connection(acme)
    diagnosed = replace(health_check(connection), probes=PROBES)
    connection.health.next_check_at, connection.health.diagnosis_id = NOW, diagnosed.id
    async with units.writing(acme) as unit:
        await unit.connections.add(connection)
        await unit.credentials.add(credential(connection))
        await unit.commit()
    await _add(units, diagnosed)
    later = NOW + timedelta(minutes=5)
    async with units.writing_everywhere() as unit:
        [due] = await unit.due_checks.claim("github", NOW, later, 1)
        same = UnchangedCheck(due, new_id(), later, 42, None, later)
        assert await unit.due_checks.note_unchanged([same]) == 1
        await unit.commit()
    assert await _latest(units, connection) == replace(
        diagnosed, id=same.id, started_at=later, latency_ms=42, trigger=HealthCheckTrigger.SCHEDULE
    )


async def _add(units: SqlUnitsOfWork, *checks: HealthCheck) -> None:
    async with units.writing(checks[0].organization_id) as unit:
        for check in checks:
            await unit.health_checks.add(check)
        await unit.commit()


async def _latest(units: SqlUnitsOfWork, connection: ServiceConnection) -> HealthCheck | None:
    async with units.reading(connection.organization_id) as unit:
        return await unit.health_checks.latest(connection.id)
