"""The contract of DueCheckRepository, on both databases: each check is one process's at a time, and noted once."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from domain.entities.due_check import DueCheck, UnchangedCheck
from domain.entities.health import ExternalAccount, HealthCheckTrigger, HealthProbe, ServiceRateLimit
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from persistence.database import Database
from persistence.tables import connection_health, health_checks, service_credentials
from persistence.unit_of_work import SqlUnitsOfWork
from tests.every_row import every_row
from tests.persistence.entities import NOW, PROBES, credential, health_check, service_connection

pytestmark = pytest.mark.anyio

UNTIL = NOW + timedelta(seconds=90)
LATER_BY = timedelta(minutes=5)
LATER = NOW + LATER_BY
INSTANT = timedelta(microseconds=1)
DIAGNOSIS = new_id()


async def test_a_claimed_check_has_all_that_checking_takes(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = service_connection(acme)
    connection.external_account = ExternalAccount("583231", "octo")
    connection.settings = {"requiredScopes": ["repo"]}
    connection.rate_limit = ServiceRateLimit(5_000, 0, LATER, None)
    connection.health.finding, connection.health.diagnosis_id, connection.health.diagnosed_at = "fine", DIAGNOSIS, NOW
    connection.health.next_trigger = HealthCheckTrigger.WEBHOOK
    kept = await _stored(units, connection, due_at=NOW)
    [due] = await _claim(units)
    assert due == DueCheck(
        organization_id=acme,
        connection_id=connection.id,
        service="github",
        lease=due.lease,
        due_at=NOW,
        trigger=HealthCheckTrigger.WEBHOOK,
        account_id="583231",
        settings={"requiredScopes": ["repo"]},
        status_changed_at=NOW,
        interval=timedelta(minutes=5),
        rate_limit=connection.rate_limit,
        finding="fine",
        diagnosis_id=DIAGNOSIS,
        diagnosed_at=NOW,
        credential=due.credential,
    )
    assert (due.credential.connection_id, due.credential.sealed) == (kept.id, "v1.0123456789abcdef.c2VhbGVk")


async def test_what_is_due_of_the_service_is_claimed_the_longest_due_first(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    ages = {0: acme, 3: globex, 2: acme, 1: globex}
    due = {age: await _new(units, organization, NOW - age * INSTANT) for age, organization in ages.items()}
    await _new(units, acme, NOW + INSTANT)
    await _new(units, acme, None)
    await _new(units, acme, NOW - LATER_BY, service="slack")
    assert [each.connection_id for each in await _claim(units, limit=3)] == [due[3].id, due[2].id, due[1].id]
    assert [each.connection_id for each in await _claim(units)] == [due[0].id]
    assert await _claim(units) == []
    assert len(await _claim(units, due_by=LATER)) == 1


async def test_when_the_first_is_due_of_the_services_asked_for(units: SqlUnitsOfWork, acme: UUID) -> None:
    assert await _next_due(units, ["github", "slack"]) is None
    await _new(units, acme, LATER)
    await _new(units, acme, NOW, service="slack")
    await _new(units, acme, None)
    assert await _next_due(units, ["github"]) == LATER
    assert await _next_due(units, ["github", "slack"]) == NOW
    assert await _next_due(units, []) is None
    await _claim(units, service="slack")
    assert await _next_due(units, ["slack"]) == NOW  # whoever has it may be gone


async def test_a_claimed_check_is_nobody_elses_until_its_lease_ends(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await _new(units, acme, NOW)
    [first] = await _claim(units)
    assert await _claim(units, now=UNTIL - INSTANT) == []
    assert not await _take(units, connection, now=UNTIL - INSTANT)
    assert await _is_leased(units, connection, UNTIL - INSTANT)
    assert not await _is_leased(units, connection, UNTIL)
    [second] = await _claim(units, now=UNTIL, until=UNTIL + LATER_BY)
    assert second == replace(first, lease=second.lease)
    assert second.lease != first.lease
    assert (await _holds(units, first), await _holds(units, second)) == (False, True)


async def test_workers_that_claim_at_once_share_what_is_due(units: SqlUnitsOfWork, acme: UUID) -> None:
    due = [await _new(units, acme, NOW - number * INSTANT) for number in range(24)]
    shares = [await each for each in [asyncio.ensure_future(_claim(units, limit=7)) for _ in range(6)]]
    shares.append(await _claim(units))  # what was locked by others just when it was asked for
    assert sorted(each.connection_id for share in shares for each in share) == sorted(each.id for each in due)
    assert all(len(share) <= 7 for share in shares[:-1])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_another_transaction_has_locked_is_left_to_it(units: SqlUnitsOfWork, acme: UUID) -> None:
    due = [await _new(units, acme, NOW - number * INSTANT) for number in range(4)]
    async with units.writing_everywhere() as one, units.writing_everywhere() as other:
        shares = [await unit.due_checks.claim("github", NOW, UNTIL, 2) for unit in (one, other)]
        assert [[each.connection_id for each in share] for share in shares] == [
            [due[3].id, due[2].id],
            [due[1].id, due[0].id],
        ]
        assert await _spread(units, NOW) == 0
        await other.commit()
    assert len(await _claim(units)) == 2  # the first one was rolled back


async def test_one_that_is_taken_may_be_due_or_not(units: SqlUnitsOfWork, acme: UUID) -> None:
    later, never = await _new(units, acme, LATER), await _new(units, acme, None)
    assert await _take(units, later)
    assert await _take(units, never)
    assert not await _take(units, later)
    assert await _claim(units, due_by=LATER) == []
    assert not await _take(units, service_connection(acme))


async def test_what_is_given_back_is_anybodys_as_it_was(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection, lease = await _new(units, acme, NOW), new_id()
    assert await _take(units, connection, lease=lease)
    for given in (new_id(), lease):
        async with units.writing_everywhere() as unit:
            await unit.due_checks.release(acme, connection.id, given)
            await unit.commit()
        assert await _is_leased(units, connection, NOW) is (given != lease)
    [due] = await _claim(units)
    assert due.due_at == NOW


async def test_what_is_put_off_is_due_then_where_it_is_still_its_leases(
    units: SqlUnitsOfWork, database: Database, acme: UUID
) -> None:
    connections = [await _new(units, acme, NOW), await _new(units, acme, NOW)]
    lost = await _claim(units)
    [held, *_] = await _claim(units, now=UNTIL, until=LATER + LATER_BY, limit=1)
    async with units.writing_everywhere() as unit:
        await unit.due_checks.put_off([])
        await unit.due_checks.put_off([(each, LATER) for each in lost if each.connection_id == held.connection_id])
        assert await unit.due_checks.holds(held)
        await unit.due_checks.put_off([(held, LATER), *((each, LATER) for each in lost)])
        await unit.commit()
    assert {row["next_check_at"] for row in await _health(database, connections)} == {LATER}
    assert {row["lease"] for row in await _health(database, connections)} == {None}


async def test_what_was_found_unchanged_is_noted_by_its_lease_and_once(
    units: SqlUnitsOfWork, database: Database, acme: UUID
) -> None:
    connections = [await _new(units, acme, NOW) for _ in range(3)]
    lost = await _claim(units, limit=1)
    held = await _claim(units, now=UNTIL, until=LATER)
    checks = [_unchanged(due, ServiceRateLimit(5_000, 4_321, LATER, None)) for due in held]
    async with units.writing_everywhere() as unit:
        assert await unit.due_checks.note_unchanged([]) == 0
        assert await unit.due_checks.note_unchanged([_unchanged(due) for due in lost]) == 0
        assert await unit.due_checks.note_unchanged(checks[:2] + [_unchanged(due) for due in lost]) == 2
        assert await unit.due_checks.note_unchanged(checks) == 1
        assert await unit.due_checks.note_unchanged(checks) == 0
        await unit.commit()
    history = await _rows(database, health_checks)
    assert sorted(row["id"] for row in history) == sorted(check.id for check in checks)
    for row in history:
        [check] = [check for check in checks if check.id == row["id"]]
        assert row == {
            "organization_id": acme,
            "id": check.id,
            "connection_id": check.due.connection_id,
            "status": "HEALTHY",
            "verdict": "PASSED",
            "message": None,
            "started_at": check.started_at,
            "latency_ms": check.latency_ms,
            "trigger": "SCHEDULE",
            "probes": [],
            "diagnosis_id": DIAGNOSIS,
        }
    for row in await _health(database, connections):
        assert (row["checked_at"], row["next_check_at"], row["latency_ms"]) == (NOW + INSTANT, LATER, 42)
        assert (row["lease"], row["leased_until"]) == (None, None)
        assert (row["rate_limit_limit"], row["rate_limit_remaining"]) == (5_000, 4_321)
        assert (row["rate_limit_reset_at"], row["rate_limit_blocked_until"]) == (LATER, None)


async def test_probes_of_its_own_are_what_the_connection_carries_from_then_on(
    units: SqlUnitsOfWork, database: Database, acme: UUID, globex: UUID
) -> None:
    connections = [await _new(units, organization, NOW) for organization in (globex, acme, acme, globex)]
    [lost] = await _claim(units, limit=1)
    held = await _claim(units, now=UNTIL, until=LATER)
    renewed = [_unchanged(due, probes=PROBES) for due in held[:3]]
    async with units.writing_everywhere() as unit:
        checks = [*renewed, _unchanged(held[3]), _unchanged(lost, probes=PROBES[:1])]
        assert await unit.due_checks.note_unchanged(checks) == 4
        await unit.commit()
    own = {check.due.connection_id: check for check in renewed}
    history = await _rows(database, health_checks)
    assert sorted(row["id"] for row in history) == sorted(check.id for check in checks[:4])
    for row in history:
        has_own = row["connection_id"] in own
        assert (row["diagnosis_id"], len(row["probes"])) == ((None, len(PROBES)) if has_own else (DIAGNOSIS, 0))
    for row in await _health(database, connections):
        check = own.get(row["connection_id"])
        diagnosis = (DIAGNOSIS, NOW) if check is None else (check.id, check.started_at)
        assert (row["diagnosis_id"], row["diagnosed_at"], row["lease"]) == (*diagnosis, None)
    for row in await _rows(database, service_credentials):
        assert row["last_used_at"] == (NOW + INSTANT if row["connection_id"] in own else None)
    for connection in connections:
        async with units.reading(connection.organization_id) as unit:
            kept = await unit.connections.find(connection.id)
        assert kept is not None
        assert kept.health.probes == (PROBES if connection.id in own else connection.health.probes)


async def test_whoever_else_sets_the_schedule_ends_a_lease_and_who_does_not_leaves_it(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    connection = await _new(units, acme, NOW)
    [due] = await _claim(units)
    for next_check_at, held in ((NOW, True), (LATER, False)):
        async with units.writing(acme) as unit:
            stored = await unit.connections.get(connection.id)
            stored.name, stored.health.next_check_at = f"Renamed {held}", next_check_at
            await unit.connections.save(stored)
            await unit.commit()
        assert await _holds(units, due) is held


async def test_overdue_checks_are_spread_over_moments_to_come(
    units: SqlUnitsOfWork, database: Database, acme: UUID
) -> None:
    overdue = [await _new(units, acme, NOW - number * INSTANT) for number in range(5)]
    [leased] = await _claim(units, limit=1)
    others = [await _new(units, acme, LATER), await _new(units, acme, NOW, service="slack")]
    moments = count(1)

    async def spread(limit: int) -> int:
        async with units.writing_everywhere() as unit:
            number = await unit.due_checks.spread(
                "github", NOW, at=lambda: NOW + timedelta(seconds=next(moments)), limit=limit
            )
            await unit.commit()
        return number

    assert [await spread(3), await spread(3), await spread(3)] == [3, 1, 0]
    free = await _health(database, [each for each in overdue if each.id != leased.connection_id])
    assert sorted(row["next_check_at"] - NOW for row in free) == [timedelta(seconds=number) for number in range(1, 5)]
    assert [row["next_check_at"] for row in await _health(database, others)] == [LATER, NOW]
    assert await _holds(units, leased)


async def test_an_organizations_late_checks_are_brought_within_its_interval(
    units: SqlUnitsOfWork, database: Database, acme: UUID, globex: UUID
) -> None:
    late = [await _new(units, acme, LATER + INSTANT) for _ in range(3)]
    kept = {
        (await _new(units, acme, LATER)).id: LATER,
        (await _new(units, acme, None)).id: None,
        (await _new(units, acme, LATER + INSTANT, blocked_until=NOW + INSTANT)).id: LATER + INSTANT,
        (await _new(units, globex, LATER + INSTANT)).id: LATER + INSTANT,
    }
    late.append(await _new(units, acme, LATER + INSTANT, blocked_until=NOW))

    async def bring(limit: int) -> int:
        async with units.writing_everywhere() as unit:
            number = await unit.due_checks.bring_within(acme, NOW, LATER, at=lambda: NOW, limit=limit)
            await unit.commit()
        return number

    assert [await bring(3), await bring(3), await bring(3)] == [3, 1, 0]
    assert {row["next_check_at"] for row in await _health(database, late)} == {NOW}
    rows = await _rows(database, connection_health)
    assert {row["connection_id"]: row["next_check_at"] for row in rows if row["connection_id"] in kept} == kept


async def test_what_a_clock_that_was_ahead_has_left_is_brought_forward(
    units: SqlUnitsOfWork, database: Database, acme: UUID
) -> None:
    ahead = NOW + timedelta(hours=5)
    right = [await _new(units, acme, LATER, checked_at=NOW), await _new(units, acme, None, checked_at=ahead)]
    checked = await _new(units, acme, ahead, checked_at=ahead, blocked_until=ahead)
    put_off = await _new(units, acme, ahead, checked_at=NOW, blocked_until=LATER)
    moment = NOW + timedelta(seconds=7)

    async def bring(limit: int) -> int:
        async with units.writing_everywhere() as unit:
            number = await unit.due_checks.bring_forward(
                NOW, checked_after=NOW, due_after=LATER, at=lambda: moment, limit=limit
            )
            await unit.commit()
        return number

    assert [await bring(1), await bring(1), await bring(1)] == [1, 1, 0]
    brought = await _health(database, [checked, put_off])
    assert {row["next_check_at"] for row in brought} == {moment}
    assert [row["checked_at"] for row in brought] == [NOW, NOW]
    assert [row["rate_limit_blocked_until"] for row in brought] == [None, LATER]
    assert [row["next_check_at"] for row in await _health(database, right)] == [LATER, None]
    assert [row["checked_at"] for row in await _health(database, right)] == [NOW, ahead]
    assert await _take(units, checked, until=ahead)
    assert not await _is_leased(units, checked, NOW)  # nobody has one for so long
    assert await _take(units, checked)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_notes_a_check_and_who_changes_its_connection_do_not_wait_for_each_other_in_a_circle(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    """The first holds the health when it adds to the history, which needs the connection; the second takes both."""
    connection = await _new(units, acme, NOW)
    async with units.writing(acme) as changing, units.writing(acme) as noting, asyncio.timeout(5):
        await changing.connections.get(connection.id)
        await noting.health_checks.add(health_check(connection))


async def _new(
    units: SqlUnitsOfWork,
    organization_id: UUID,
    due_at: datetime | None,
    *,
    service: str = "github",
    checked_at: datetime | None = None,
    blocked_until: datetime | None = None,
) -> ServiceConnection:
    connection = replace(service_connection(organization_id, f"Octo {new_id()}"), service=service)
    connection.health.diagnosis_id, connection.health.diagnosed_at = DIAGNOSIS, NOW
    connection.health.checked_at = checked_at
    if blocked_until is not None:
        connection.rate_limit = ServiceRateLimit(blocked_until=blocked_until)
    return await _stored(units, connection, due_at=due_at)


async def _stored(
    units: SqlUnitsOfWork, connection: ServiceConnection, *, due_at: datetime | None
) -> ServiceConnection:
    connection.health.next_check_at = due_at
    async with units.writing(connection.organization_id) as unit:
        await unit.connections.add(connection)
        await unit.credentials.add(credential(connection))
        await unit.commit()
    return connection


def _unchanged(
    due: DueCheck, limit: ServiceRateLimit | None = None, probes: tuple[HealthProbe, ...] | None = None
) -> UnchangedCheck:
    return UnchangedCheck(due, new_id(), NOW + INSTANT, 42, limit, LATER, probes)


async def _claim(
    units: SqlUnitsOfWork,
    *,
    service: str = "github",
    now: datetime = NOW,
    until: datetime = UNTIL,
    limit: int = 100,
    due_by: datetime | None = None,
) -> Sequence[DueCheck]:
    async with units.writing_everywhere() as unit:
        claimed = await unit.due_checks.claim(service, now, until, limit, due_by=due_by)
        await unit.commit()
    return claimed


async def _take(
    units: SqlUnitsOfWork,
    connection: ServiceConnection,
    *,
    lease: UUID | None = None,
    now: datetime = NOW,
    until: datetime = UNTIL,
) -> bool:
    async with units.writing_everywhere() as unit:
        taken = await unit.due_checks.take(connection.organization_id, connection.id, lease or new_id(), now, until)
        await unit.commit()
    return taken


async def _spread(units: SqlUnitsOfWork, now: datetime) -> int:
    async with units.writing_everywhere() as unit:
        return await unit.due_checks.spread("github", now, at=lambda: LATER, limit=100)


async def _next_due(units: SqlUnitsOfWork, services: Sequence[str]) -> datetime | None:
    async with units.reading_everywhere() as unit:
        return await unit.due_checks.next_due(services)


async def _is_leased(units: SqlUnitsOfWork, connection: ServiceConnection, now: datetime) -> bool:
    async with units.reading_everywhere() as unit:
        return await unit.due_checks.is_leased(connection.organization_id, connection.id, now)


async def _holds(units: SqlUnitsOfWork, due: DueCheck) -> bool:
    async with units.reading_everywhere() as unit:
        return await unit.due_checks.holds(due)


async def _health(database: Database, connections: Iterable[ServiceConnection]) -> list[dict[str, Any]]:
    """In the order of the connections."""
    rows = {row["connection_id"]: row for row in await _rows(database, connection_health)}
    return [rows[connection.id] for connection in connections]


async def _rows(database: Database, table: Any) -> list[dict[str, Any]]:
    async with every_row(database) as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]
