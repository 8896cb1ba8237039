"""The contract of ServiceConnectionRepository, on both databases."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import StatusReason
from domain.entities.health import (
    ConnectionHealth,
    ExternalAccount,
    HealthProbe,
    HealthStatus,
    ProbeOutcome,
    Remedy,
    ServiceRateLimit,
)
from domain.entities.identifiers import new_id
from domain.errors import NameTaken, NotFound, VersionConflict
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, service_connection, stored_connection

pytestmark = pytest.mark.anyio


async def test_everything_that_a_connection_holds_comes_back(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    full = service_connection(acme, "Straße 🐙")
    full.created_by = ada
    full.status = ConnectionStatus.ERROR
    full.status_reason = StatusReason("RATE_LIMITED", "Too many calls.", Remedy.WAIT)
    full.external_account = ExternalAccount("42", "octo", "https://github.example/octo", None)
    full.webhook_key = "installation:42"
    full.required_scopes, full.granted_scopes, full.missing_scopes = ("repo", "read:org"), ("repo",), ("read:org",)
    full.health = ConnectionHealth(
        HealthStatus.DEGRADED,
        "Close to its limit.",
        NOW,
        NOW + timedelta(microseconds=1),
        12,
        2,
        (
            HealthProbe("reach", ProbeOutcome.PASSED, "reachable", "It answers.", latency_ms=12),
            HealthProbe("quota", ProbeOutcome.WARNED, "low", "Low.", Remedy.WAIT, evidence={"left": 3, "of": [1.5]}),
        ),
    )
    full.rate_limit = ServiceRateLimit(5_000, 3, NOW, None)
    full.labels, full.settings = {"team": "plätform \u2028"}, {"nested": {"deep": [None, True, 1.5]}}
    async with units.writing(acme) as unit:
        await unit.connections.add(full)
        await unit.commit()
    async with units.reading(acme) as unit:
        assert await unit.connections.find(full.id) == full
        assert await unit.connections.get(full.id) == full


async def test_a_reason_without_a_remedy_stays_without(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = service_connection(acme)
    connection.status_reason = StatusReason("PAUSED", "Paused.")
    async with units.writing(acme) as unit:
        await unit.connections.add(connection)
        assert await unit.connections.get(connection.id) == connection


async def test_a_missing_connection_is_none_or_not_found(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.writing(acme) as unit:
        assert await unit.connections.find(new_id()) is None
        with pytest.raises(NotFound):
            await unit.connections.get(new_id())
        with pytest.raises(NotFound):
            await unit.connections.save(service_connection(acme))


async def test_another_organizations_connections_are_out_of_reach(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    theirs = await stored_connection(units, globex)
    async with units.writing(acme) as unit:
        assert await unit.connections.find(theirs.id) is None
        assert await unit.connections.list() == []
        with pytest.raises(NotFound):
            await unit.connections.get(theirs.id)
        for write in (unit.connections.save, unit.connections.add):
            with pytest.raises(RuntimeError, match="another organization"):
                await write(theirs)
        theirs.organization_id = acme  # even so, its row isn't found
        with pytest.raises(NotFound):
            await unit.connections.save(theirs)


async def test_a_page_begins_after_an_id(units: SqlUnitsOfWork, acme: UUID) -> None:
    ids = [(await stored_connection(units, acme, f"Octo {number}")).id for number in range(5)]
    async with units.reading(acme) as unit:
        assert [found.id for found in await unit.connections.list()] == ids
        assert [found.id for found in await unit.connections.list(after=ids[1], limit=2)] == ids[2:4]
        assert await unit.connections.list(after=ids[4]) == []


async def test_a_name_is_taken_whatever_its_case(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    await stored_connection(units, acme, "Straße")
    await stored_connection(units, globex, "STRASSE")
    with pytest.raises(NameTaken) as taken:
        await stored_connection(units, acme, "STRASSE")
    assert taken.value.field == ("input", "name")
    other = await stored_connection(units, acme, "Other")
    other.name = "strasse"
    async with units.writing(acme) as unit:
        with pytest.raises(NameTaken):
            await unit.connections.save(other)


async def test_only_a_taken_name_is_called_one(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    connection.name = "Another"
    async with units.writing(acme) as unit:
        with pytest.raises(IntegrityError):
            await unit.connections.add(connection)  # its id is there already
    stranger = service_connection(acme, "By nobody")
    stranger.created_by = new_id()
    async with units.writing(acme) as unit:
        with pytest.raises(IntegrityError):
            await unit.connections.add(stranger)


async def test_deleting_frees_the_name_and_hides_the_connection(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    async with units.writing(acme) as unit:
        connection.delete(NOW)
        await unit.connections.save(connection)
        await unit.commit()
    again = await stored_connection(units, acme)
    async with units.writing(acme) as unit:
        assert await unit.connections.find(connection.id) is None
        assert [found.id for found in await unit.connections.list()] == [again.id]
        with pytest.raises(NotFound):
            await unit.connections.save(connection)


async def test_saving_raises_the_version_on_row_and_entity(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    async with units.writing(acme) as unit:
        await unit.connections.save(connection)
        await unit.connections.save(connection)
        assert connection.version == 3
        await unit.commit()
    async with units.reading(acme) as unit:
        assert (await unit.connections.get(connection.id)).version == 3


async def test_of_two_who_read_the_same_version_the_second_learns_of_the_first(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    id_ = (await stored_connection(units, acme)).id
    async with units.reading(acme) as one, units.reading(acme) as other:
        mine, theirs = await one.connections.get(id_), await other.connections.get(id_)
    mine.name, theirs.name = "Mine", "Theirs"
    async with units.writing(acme) as unit:
        await unit.connections.save(theirs)
        await unit.commit()
    async with units.writing(acme) as unit:
        with pytest.raises(VersionConflict) as conflict:
            await unit.connections.save(mine)
    assert (conflict.value.current_version, mine.version) == (2, 1)
    async with units.reading(acme) as unit:
        assert (await unit.connections.get(id_)).name == "Theirs"


async def test_a_connection_that_was_got_is_locked_until_the_unit_ends(units: SqlUnitsOfWork, acme: UUID) -> None:
    id_ = (await stored_connection(units, acme)).id

    async def rename(to: str) -> None:
        async with units.writing(acme) as unit:
            connection = await unit.connections.get(id_)
            connection.name += to
            await asyncio.sleep(0)
            await unit.connections.save(connection)
            await unit.commit()

    await asyncio.gather(*(rename(letter) for letter in "abcdefgh"))
    async with units.reading(acme) as unit:
        connection = await unit.connections.get(id_)
    assert connection.version == 9
    assert sorted(connection.name.removeprefix("Octo")) == list("abcdefgh")
