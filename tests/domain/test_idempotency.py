"""A creating call that is sent again creates nothing again."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from domain.credential_secrets import TokenSecret
from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.entities.user import Role
from domain.errors import Forbidden, IdempotencyKeyReused, InvalidInput
from domain.retention import Retention
from domain.secret import Secret
from persistence.tables import memberships
from persistence.unit_of_work import SqlUnitOfWork
from tests.domain.world import World
from tests.every_row import every_row

pytestmark = pytest.mark.anyio


async def test_the_same_call_again_gives_the_first_ones_connection_and_asks_nobody(world: World) -> None:
    token = await world.token()
    first = await world.connect(token, idempotency_key="once", labels={"a": "1", "b": "2"})

    again = await world.connect(Secret(token.reveal()), idempotency_key="once", labels={"b": "2", "a": "1"})

    assert again == first
    assert await world.calls(token) == 1
    [kept] = await world.rows("idempotency_keys")
    assert token.reveal() not in repr(kept)


async def test_a_key_taken_again_for_another_input_is_refused(world: World) -> None:
    token = await world.token()
    await world.connect(token, idempotency_key="once")

    for token_then, arguments in ((token, {"name": "Other"}), (await world.token(), {})):
        with pytest.raises(IdempotencyKeyReused) as refusal:
            await world.connect(token_then, idempotency_key="once", **arguments)
        assert refusal.value.field == ("input", "idempotencyKey")


async def test_of_two_equal_calls_at_once_one_creates_and_both_get_it(world: World) -> None:
    token = await world.token(behaviour="slow", delay_seconds=0.1)

    first, second = await asyncio.gather(*(world.connect(token, idempotency_key="once") for _ in range(2)))

    assert await world.calls(token) == 2  # both had asked before either had stored
    assert first.id == second.id
    assert len(await world.rows("service_connections")) == 1
    assert len(await world.rows("connection_events")) == 4


async def test_a_call_without_a_key_and_another_users_key_stand_for_themselves(world: World) -> None:
    token = await world.token()
    owner = world.viewers[Role.OWNER]

    made = [
        await world.connect(token),
        await world.connect(token),
        await world.connect(token, idempotency_key="once"),
        await world.manager.create_connection(
            owner, world.organization_id, "github", TokenSecret(token), idempotency_key="once"
        ),
    ]

    assert len({each.id for each in made}) == 4


async def test_a_key_whose_connection_is_deleted_says_so(world: World) -> None:
    token = await world.token()
    created = await world.connect(token, idempotency_key="once")
    await world.manager.delete_connection(world.admin, created.id)

    with pytest.raises(InvalidInput, match="is deleted") as refusal:
        await world.connect(token, idempotency_key="once")

    assert refusal.value.field == ("input", "idempotencyKey")


class Died(BaseException):
    """What a process doesn't survive."""


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_process_that_dies_has_kept_both_the_key_and_what_it_stands_for_or_neither(
    world: World, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    token, commit = await world.token(), SqlUnitOfWork.commit

    async def die(unit: SqlUnitOfWork) -> None:
        if after_commit:
            await commit(unit)
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(SqlUnitOfWork, "commit", die)
        with pytest.raises(Died):
            await world.connect(token, idempotency_key="once")
    kept = [len(await world.rows(table)) for table in ("idempotency_keys", "service_connections", "connection_events")]
    assert kept == ([1, 1, 4] if after_commit else [0, 0, 0])

    made = await world.connect(token, idempotency_key="once")
    assert [row["id"] for row in await world.rows("service_connections")] == [made.id]
    assert await world.connect(token, idempotency_key="once") == made


async def test_a_key_is_kept_for_a_day(world: World) -> None:
    token, retention = await world.token(), Retention(world.units, world.clock, timedelta(days=400))
    task = Task(new_id(), TaskKind.FORGET_IDEMPOTENCY_KEYS, WHOLE_SERVER, None, world.clock())
    first = await world.connect(token, idempotency_key="once")

    world.clock.advance(hours=23, minutes=59)
    await retention.forget_idempotency_keys(task)
    assert (await world.connect(token, idempotency_key="once")).id == first.id
    world.clock.advance(minutes=2)
    await retention.forget_idempotency_keys(task)
    assert (await world.connect(token, idempotency_key="once")).id != first.id


async def test_who_may_no_longer_create_is_not_told_what_they_created(world: World) -> None:
    token = await world.token()
    await world.connect(token, idempotency_key="once")
    async with every_row(world.database) as connection:
        demoted = update(memberships).where(memberships.c.user_id == world.admin.user_id)
        await connection.execute(demoted.values(role=Role.VIEWER))

    with pytest.raises(Forbidden):
        await world.connect(token, idempotency_key="once")
