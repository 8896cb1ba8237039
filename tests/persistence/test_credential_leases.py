"""Leases of credentials, on both databases: one process at a time refreshes, and only its result is kept."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.credential import ServiceCredential
from domain.entities.identifiers import new_id
from domain.errors import LeaseLost, NotFound, VersionConflict
from domain.ports import LeaseOutcome, UnitOfWork
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, credential, stored_connection

pytestmark = pytest.mark.anyio
UNTIL = NOW + timedelta(seconds=30)


async def test_a_leased_credential_is_nobody_elses_until_its_time_is_over(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = await _stored(units, acme)
    first, second, third = new_id(), new_id(), new_id()
    just_before = timedelta(microseconds=-1)
    async with units.writing(acme) as unit:
        assert await _lease(unit, kept, first) is LeaseOutcome.TAKEN
        assert await _lease(unit, kept, second) is LeaseOutcome.HELD
        assert await _lease(unit, kept, second, after=UNTIL - NOW + just_before) is LeaseOutcome.HELD
        assert await _lease(unit, kept, second, after=UNTIL - NOW) is LeaseOutcome.TAKEN_OVER
        await unit.credentials.release(kept.connection_id, first)
        assert await _lease(unit, kept, third) is LeaseOutcome.HELD
        await unit.credentials.release(kept.connection_id, second)
        assert await _lease(unit, kept, third) is LeaseOutcome.TAKEN


async def test_of_many_who_would_lease_at_once_one_does(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = await _stored(units, acme)

    async def take() -> LeaseOutcome:
        async with units.writing(acme) as unit:
            outcome = await _lease(unit, kept, new_id())
            await asyncio.sleep(0)
            await unit.commit()
            return outcome

    outcomes = await asyncio.gather(*(take() for _ in range(8)))
    assert sorted(outcomes) == [LeaseOutcome.HELD] * 7 + [LeaseOutcome.TAKEN]


async def test_a_credential_of_another_generation_or_a_gone_one_is_not_leased(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    kept = await _stored(units, acme)
    async with units.writing(acme) as unit:
        assert await _lease(unit, kept, new_id(), generation=2) is LeaseOutcome.CHANGED
        await unit.credentials.remove(kept.connection_id)
        assert await _lease(unit, kept, new_id()) is LeaseOutcome.CHANGED


async def test_a_refresh_is_saved_by_its_lease_which_ends_with_it(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept, lease = await _stored(units, acme), new_id()
    async with units.writing(acme) as unit:
        await _lease(unit, kept, lease)
        _rotate(kept)
        await unit.credentials.save(kept, replaces_generation=1, lease=lease)
        assert await unit.credentials.find(kept.connection_id) == kept
        assert await _lease(unit, kept, new_id(), generation=1) is LeaseOutcome.CHANGED
        assert await _lease(unit, kept, new_id()) is LeaseOutcome.TAKEN


async def test_what_is_saved_by_a_lost_lease_is_refused(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept, lost, holder = await _stored(units, acme), new_id(), new_id()
    async with units.writing(acme) as unit:
        await _lease(unit, kept, lost)
        assert await _lease(unit, kept, holder, after=UNTIL - NOW) is LeaseOutcome.TAKEN_OVER
        await unit.commit()
    _rotate(kept)
    async with units.writing(acme) as unit:
        with pytest.raises(LeaseLost):
            await unit.credentials.save(kept, replaces_generation=1, lease=lost)
        await unit.credentials.save(kept, replaces_generation=1, lease=holder)
        with pytest.raises(VersionConflict):
            await unit.credentials.save(kept, replaces_generation=1, lease=holder)
        with pytest.raises(LeaseLost):
            await unit.credentials.save(kept, replaces_generation=2, lease=holder)
        await unit.credentials.remove(kept.connection_id)
        with pytest.raises(NotFound):
            await unit.credentials.save(kept, replaces_generation=2, lease=holder)


async def test_a_rotation_by_somebody_else_ends_the_lease(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept, lease = await _stored(units, acme), new_id()
    async with units.writing(acme) as unit:
        await _lease(unit, kept, lease)
        _rotate(kept)
        await unit.credentials.save(kept, replaces_generation=1)
        with pytest.raises(VersionConflict) as conflict:
            await unit.credentials.save(kept, replaces_generation=1, lease=lease)
        assert conflict.value.current_version == 2
        assert await _lease(unit, kept, new_id()) is LeaseOutcome.TAKEN


async def test_what_is_learned_of_the_same_secret_leaves_the_lease_alone(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept, lease = await _stored(units, acme), new_id()
    async with units.writing(acme) as unit:
        await _lease(unit, kept, lease)
        kept.scopes = ("repo",)
        await unit.credentials.save(kept, replaces_generation=1)
        assert await unit.credentials.find(kept.connection_id) == kept
        assert await _lease(unit, kept, new_id()) is LeaseOutcome.HELD
        await unit.credentials.save(kept, replaces_generation=1, lease=lease)
        assert await _lease(unit, kept, new_id()) is LeaseOutcome.TAKEN


async def test_another_organizations_credential_is_neither_leased_nor_released(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    theirs, lease = await _stored(units, globex), new_id()
    async with units.writing(acme) as unit:
        assert await _lease(unit, theirs, new_id()) is LeaseOutcome.CHANGED
    async with units.writing(globex) as unit:
        assert await _lease(unit, theirs, lease) is LeaseOutcome.TAKEN
        await unit.commit()
    async with units.writing(acme) as unit:
        await unit.credentials.release(theirs.connection_id, lease)
        await unit.commit()
    async with units.writing(globex) as unit:
        assert await _lease(unit, theirs, new_id()) is LeaseOutcome.HELD


async def _stored(units: SqlUnitsOfWork, organization_id: UUID) -> ServiceCredential:
    kept = credential(await stored_connection(units, organization_id))
    async with units.writing(organization_id) as unit:
        await unit.credentials.add(kept)
        await unit.commit()
    return kept


async def _lease(
    unit: UnitOfWork,
    kept: ServiceCredential,
    lease: UUID,
    *,
    generation: int | None = None,
    after: timedelta = timedelta(0),
) -> LeaseOutcome:
    return await unit.credentials.lease(
        kept.connection_id, lease, generation=generation or kept.generation, now=NOW + after, until=UNTIL + after
    )


def _rotate(kept: ServiceCredential) -> None:
    kept.replace(
        kind=kept.kind,
        sealed="v1.0123456789abcdef.bmV3",
        key_id=kept.key_id,
        fingerprint="cd34",
        scopes=None,
        expires_at=None,
        refreshable=False,
        refresh_expires_at=None,
        now=NOW,
    )
