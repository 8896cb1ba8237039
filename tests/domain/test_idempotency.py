"""A creating call that is sent again creates nothing again."""

import asyncio

import pytest

from domain.credential_secrets import TokenSecret
from domain.entities.user import Role
from domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
)
from domain.secret import Secret
from tests.domain.world import World

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
