"""The contract of RepositoryRepository, on both databases."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.errors import NotFound
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, repository, stored_connection

pytestmark = pytest.mark.anyio


async def test_repositories_come_back_by_name_as_they_were(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection, other = await stored_connection(units, acme), await stored_connection(units, acme, "Other")
    kept = [repository(connection, name) for name in ("octo/Zebra", "octo/apple", "Octo/Mango")]
    kept[0].default_branch, kept[0].private, kept[0].archived, kept[0].selected = None, False, True, False
    async with units.writing(acme) as unit:
        await unit.repositories.add_all(kept)
        await unit.repositories.add_all([repository(other, "octo/apple")])
        await unit.repositories.add_all([])
        await unit.commit()
    async with units.reading(acme) as unit:
        assert await unit.repositories.list(connection.id) == [kept[1], kept[2], kept[0]]


async def test_a_saved_change_is_kept(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = repository(await stored_connection(units, acme), "octo/apple")
    async with units.writing(acme) as unit:
        await unit.repositories.add_all([kept])
        kept.selected, kept.full_name = False, "octo/Pear"
        await unit.repositories.save(kept)
        assert await unit.repositories.list(kept.connection_id) == [kept]


async def test_a_repository_that_was_got_is_locked_until_the_unit_ends(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = repository(await stored_connection(units, acme), "octo/apple")
    async with units.writing(acme) as unit:
        await unit.repositories.add_all([kept])
        await unit.commit()

    async def rename(to: str) -> None:
        async with units.writing(acme) as unit:
            got = await unit.repositories.get(kept.id)
            got.full_name += to
            await asyncio.sleep(0)
            await unit.repositories.save(got)
            await unit.commit()

    await asyncio.gather(*(rename(letter) for letter in "abcdefgh"))
    async with units.reading(acme) as unit:
        got = await unit.repositories.get(kept.id)
        with pytest.raises(NotFound) as missing:
            await unit.repositories.get(new_id())
    assert sorted(got.full_name.removeprefix("octo/apple")) == list("abcdefgh")
    assert missing.value.field == ("input", "repositoryId")


async def test_thousands_are_removed_and_the_rest_stays(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    kept = [repository(connection, f"octo/{number:04}") for number in range(2_003)]
    async with units.writing(acme) as unit:
        await unit.repositories.add_all(kept)
        await unit.repositories.remove([gone.id for gone in kept[1:]])
        assert await unit.repositories.list(connection.id) == kept[:1]
        with pytest.raises(NotFound):
            await unit.repositories.save(kept[1])


async def test_another_organizations_repositories_are_out_of_reach(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    theirs = repository(await stored_connection(units, globex), "globex/plans")
    async with units.writing(globex) as unit:
        await unit.repositories.add_all([theirs])
        await unit.commit()
    async with units.writing(acme) as unit:
        assert await unit.repositories.list(theirs.connection_id) == []
        with pytest.raises(NotFound):
            await unit.repositories.get(theirs.id)
        with pytest.raises(RuntimeError, match="another organization"):
            await unit.repositories.save(theirs)
        with pytest.raises(RuntimeError, match="another organization"):
            await unit.repositories.add_all([theirs])
        await unit.repositories.remove([theirs.id])
        await unit.commit()
    async with units.reading(globex) as unit:
        assert await unit.repositories.list(theirs.connection_id) == [theirs]


async def test_a_page_of_them_is_found_by_the_services_ids_and_marked(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection, other = await stored_connection(units, acme), await stored_connection(units, acme, "Other")
    kept = [repository(connection, name) for name in ("octo/a", "octo/b", "octo/c")]
    later = NOW + timedelta(hours=1)
    async with units.writing(acme) as unit:
        await unit.repositories.add_all([*kept, repository(other, "octo/a")])
        page = [kept[0].external_id, kept[2].external_id, "unknown"]
        found = await unit.repositories.list_by_external_id(connection.id, page)
        assert sorted(found, key=lambda each: each.full_name) == [kept[0], kept[2]]
        await unit.repositories.mark_synced([each.id for each in found], later)
        await unit.repositories.mark_synced([], later)
        assert await unit.repositories.list_by_external_id(connection.id, []) == []
        listed = await unit.repositories.list(connection.id)
    assert [each.synced_at for each in listed] == [later, NOW, later]
