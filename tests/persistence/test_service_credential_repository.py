"""The contract of ServiceCredentialRepository, on both databases."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import NotFound, VersionConflict
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, credential, stored_connection

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scopes", [None, (), ("repo", "read:org")])
async def test_everything_that_a_credential_holds_comes_back(
    units: SqlUnitsOfWork, acme: UUID, scopes: tuple[str, ...] | None
) -> None:
    connection = await stored_connection(units, acme)
    kept = credential(connection)
    kept.scopes = scopes
    async with units.writing(acme) as unit:
        assert await unit.credentials.find(connection.id) is None
        await unit.credentials.add(kept)
        await unit.commit()
    async with units.reading(acme) as unit:
        assert await unit.credentials.find(connection.id) == kept


async def test_another_organizations_credential_is_out_of_reach(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    kept = credential(await stored_connection(units, globex))
    async with units.writing(globex) as unit:
        await unit.credentials.add(kept)
        await unit.commit()
    async with units.writing(acme) as unit:
        assert await unit.credentials.find(kept.connection_id) is None
        with pytest.raises(RuntimeError, match="another organization"):
            await unit.credentials.save(kept, replaces_generation=1)
        await unit.credentials.mark_used(kept.connection_id, NOW)
        await unit.credentials.remove(kept.connection_id)
        await unit.commit()
    async with units.reading(globex) as unit:
        assert await unit.credentials.find(kept.connection_id) == kept


async def test_of_two_replacements_of_one_generation_the_second_is_refused(units: SqlUnitsOfWork, acme: UUID) -> None:
    mine = credential(await stored_connection(units, acme))
    async with units.writing(acme) as unit:
        await unit.credentials.add(mine)
        await unit.commit()
    async with units.writing(acme) as unit:
        mine.replace(
            kind=mine.kind,
            sealed="v1.0123456789abcdef.bmV3",
            key_id="0" * 16,
            fingerprint="cd34",
            scopes=None,
            expires_at=None,
            refresh_expires_at=None,
            refreshable=False,
            now=NOW,
        )
        await unit.credentials.save(mine, replaces_generation=1)
        await unit.commit()
    async with units.writing(acme) as unit:
        with pytest.raises(VersionConflict) as conflict:
            await unit.credentials.save(mine, replaces_generation=1)
        assert conflict.value.current_version == 2
        assert await unit.credentials.find(mine.connection_id) == mine


async def test_a_removed_secret_is_gone(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = credential(await stored_connection(units, acme))
    async with units.writing(acme) as unit:
        await unit.credentials.add(kept)
        await unit.credentials.remove(kept.connection_id)
        assert await unit.credentials.find(kept.connection_id) is None
        with pytest.raises(NotFound):
            await unit.credentials.save(kept, replaces_generation=1)


async def test_the_last_use_only_moves_forward(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = credential(await stored_connection(units, acme))
    async with units.writing(acme) as unit:
        await unit.credentials.add(kept)
        for minutes in (5, 1):
            await unit.credentials.mark_used(kept.connection_id, NOW + timedelta(minutes=minutes))
        found = await unit.credentials.find(kept.connection_id)
    assert found is not None
    assert found.last_used_at == NOW + timedelta(minutes=5)
