"""The contracts of the repositories of idempotency keys and data keys: of several writers at once, one wins."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.key_ring import DataKeyState, KeyRing, LocalKeyProvider
from domain.ports import UnitOfWork
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio
PROVIDER = LocalKeyProvider(b"k" * 32)


async def test_an_answered_call_is_found_again(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    result_id = new_id()
    async with units.writing(acme) as unit:
        assert await unit.idempotency_keys.find(ada, "createConnection", "k1") is None
        assert await _answer(unit, ada, acme, result_id)
        assert await unit.idempotency_keys.find(ada, "createConnection", "k1") == (b"hash", result_id)
        assert await unit.idempotency_keys.find(ada, "createOrganization", "k1") is None
        assert await unit.idempotency_keys.find(new_id(), "createConnection", "k1") is None


async def test_of_equal_calls_at_once_one_takes_the_key(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    results = [new_id() for _ in range(5)]

    async def call(result_id: UUID) -> bool:
        async with units.writing(acme) as unit:
            taken = await _answer(unit, ada, acme, result_id)
            await asyncio.sleep(0)
            await unit.commit()
            return taken

    taken = await asyncio.gather(*(call(result_id) for result_id in results))
    assert sorted(taken) == [False] * 4 + [True]
    async with units.reading_everywhere() as unit:
        assert await unit.idempotency_keys.find(ada, "createConnection", "k1") == (b"hash", results[taken.index(True)])


async def test_a_key_taken_by_a_call_that_failed_is_free(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    first_has_taken, second_result = asyncio.Event(), new_id()

    async def failing() -> None:
        async with units.writing(acme) as unit:
            assert await _answer(unit, ada, acme, new_id())
            first_has_taken.set()
            await asyncio.sleep(0)

    async def waiting() -> bool:
        await first_has_taken.wait()
        async with units.writing(acme) as unit:
            taken = await _answer(unit, ada, acme, second_result)
            await unit.commit()
            return taken

    _, taken = await asyncio.gather(failing(), waiting())
    assert taken is True


async def test_old_answers_are_forgotten_the_oldest_first(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    async with units.writing(acme) as unit:
        for age_hours in (1, 3, 2, 0):
            answered_at = NOW - timedelta(hours=age_hours)
            assert await _answer(unit, ada, acme, new_id(), key=f"{age_hours} hours", now=answered_at)
        assert await unit.idempotency_keys.forget(NOW, 2) == 2
        kept = [await unit.idempotency_keys.find(ada, "createConnection", f"{hours} hours") for hours in range(4)]
        assert [answer is not None for answer in kept] == [True, True, False, False]
        assert await unit.idempotency_keys.forget(NOW, 2) == 1
        assert await unit.idempotency_keys.forget(NOW, 2) == 0
        assert await unit.idempotency_keys.find(ada, "createConnection", "0 hours") is not None


async def test_data_keys_come_back_in_the_order_of_their_age(units: SqlUnitsOfWork) -> None:
    one = KeyRing.generate(PROVIDER)
    async with units.writing_everywhere() as unit:
        assert await unit.data_keys.list() == []
        assert await unit.data_keys.add(one) is True
        assert await unit.data_keys.list() == [one]
        assert one.state is DataKeyState.PRIMARY


async def test_processes_that_start_at_once_agree_on_one_primary_key(units: SqlUnitsOfWork) -> None:
    keys = [KeyRing.generate(PROVIDER) for _ in range(5)]

    async def start(number: int) -> bool:
        async with units.writing_everywhere() as unit:
            added = await unit.data_keys.add(keys[number])
            await unit.commit()
            return added

    added = await asyncio.gather(*map(start, range(5)))
    assert sorted(added) == [False] * 4 + [True]
    async with units.reading_everywhere() as unit:
        assert await unit.data_keys.list() == [keys[added.index(True)]]


async def _answer(
    unit: UnitOfWork, user_id: UUID, organization_id: UUID, result_id: UUID, *, key: str = "k1", now: datetime = NOW
) -> bool:
    return await unit.idempotency_keys.add(
        user_id=user_id,
        operation="createConnection",
        key=key,
        organization_id=organization_id,
        input_hash=b"hash",
        result_id=result_id,
        now=now,
    )
