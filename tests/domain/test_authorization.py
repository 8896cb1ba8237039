"""Who may do what to a connection, and what the others are told."""

import uuid
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from domain.credential_secrets import TokenSecret
from domain.entities.connection_status import ConnectionStatus
from domain.entities.user import Role, Viewer
from domain.errors import (
    Forbidden,
    NotFound,
)
from domain.secret import Secret
from tests.domain.world import World

pytestmark = pytest.mark.anyio

Status = ConnectionStatus


Call = Callable[[World, Viewer, UUID], Awaitable[object]]
CALLS: dict[str, tuple[Role, Call]] = {
    "get": (Role.VIEWER, lambda world, viewer, id_: world.manager.get(viewer, id_)),
    "check": (Role.MEMBER, lambda world, viewer, id_: world.manager.check_connection_health(viewer, id_)),
    "update": (Role.ADMIN, lambda world, viewer, id_: world.manager.update_connection(viewer, id_, name="New")),
    "status": (
        Role.ADMIN,
        lambda world, viewer, id_: world.manager.update_connection_status(viewer, id_, Status.INACTIVE),
    ),
    "rotate": (
        Role.ADMIN,
        lambda world, viewer, id_: world.manager.rotate_credentials(
            viewer, id_, TokenSecret(Secret("sandbox-github-acme"))
        ),
    ),
    "delete": (Role.ADMIN, lambda world, viewer, id_: world.manager.delete_connection(viewer, id_)),
}


@pytest.mark.parametrize("call", CALLS)
async def test_each_role_may_what_it_is_for_and_no_more(world: World, call: str) -> None:
    least, run = CALLS[call]
    created = await world.connect()
    for role in Role:
        if not role.covers(least):
            with pytest.raises(Forbidden, match=f"takes the role {least} .*you act in it as {role}"):
                await run(world, world.viewers[role], created.id)
    capped = Viewer(world.viewers[Role.OWNER].user_id, "Owner", Role.VIEWER)
    if least is not Role.VIEWER:
        with pytest.raises(Forbidden, match="you act in it as VIEWER"):
            await run(world, capped, created.id)
    assert await world.manager.get(world.admin, created.id) == created

    await run(world, world.viewers[least], created.id)


@pytest.mark.parametrize("call", CALLS)
async def test_a_strangers_connection_answers_exactly_like_a_missing_one(world: World, call: str) -> None:
    _, run = CALLS[call]
    created = await world.connect()
    deleted = await world.connect()
    await world.manager.delete_connection(world.admin, deleted.id)
    elsewhere = await world.users.create_organization(world.viewers[Role.OWNER], "globex", "Globex")
    stranger = await world.join(elsewhere.id, Role.OWNER)

    refusals = []
    for viewer, connection_id in ((stranger, created.id), (world.admin, uuid.uuid4()), (world.admin, deleted.id)):
        with pytest.raises(NotFound) as refusal:
            await run(world, viewer, connection_id)
        refusals.append((refusal.value.code, refusal.value.message, refusal.value.field))

    assert refusals == [("NOT_FOUND", "There is no connection with this id.", ("input", "connectionId"))] * 3
    assert await world.manager.get(world.admin, created.id) == created


async def test_a_strangers_organization_answers_exactly_like_a_missing_one(world: World) -> None:
    elsewhere = await world.users.create_organization(world.viewers[Role.OWNER], "globex", "Globex")
    token = await world.token()

    for organization_id in (elsewhere.id, uuid.uuid4()):
        for refused in (
            world.manager.create_connection(world.admin, organization_id, "github", TokenSecret(token)),
            world.manager.list(world.admin, organization_id),
        ):
            with pytest.raises(NotFound) as refusal:
                await refused
            assert refusal.value.message == "There is no organization with this id."
            assert refusal.value.field == ("input", "organizationId")

    with pytest.raises(Forbidden, match="takes the role ADMIN"):
        await world.manager.create_connection(
            world.viewers[Role.MEMBER], world.organization_id, "github", TokenSecret(token)
        )
    assert await world.calls(token) == 0
