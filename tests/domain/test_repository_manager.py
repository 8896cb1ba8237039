"""Syncing repositories for a person, who doesn't wait for ever: what is left is the runner's."""

import math
from datetime import timedelta
from uuid import UUID

import pytest

from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.event import ActorKind
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.user import Role
from domain.errors import Forbidden, NotFound
from domain.repository_manager import RepositoryManager
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncReport
from tests.domain.world import World

pytestmark = pytest.mark.anyio

REPOSITORIES = [{"id": 1_000 + number, "name": f"r{number}"} for number in range(150)]  # two pages


@pytest.fixture
def sync(world: World) -> RepositorySync:
    refresher = CredentialRefresher(world.units, world.catalogue, CredentialVault(world.encryption), world.clock)
    return RepositorySync(world.units, world.catalogue, refresher, world.clock)


def manager(world: World, sync: RepositorySync, patience_seconds: float = math.inf) -> RepositoryManager:
    return RepositoryManager(world.units, sync, world.clock, patience_seconds=patience_seconds)


async def claimed(world: World) -> list[Task]:
    """The syncs that are due now."""
    async with world.units.writing_everywhere() as unit:
        now = world.clock()
        tasks = await unit.tasks.claim(now, now + timedelta(hours=1), 10, [TaskKind.SYNC_REPOSITORIES])
        await unit.commit()
    return list(tasks)


async def connected(world: World) -> ServiceConnection:
    """A new connection, of which no sync is due any more."""
    connection = await world.connect(await world.token(repositories=REPOSITORIES))
    for task in await claimed(world):
        async with world.units.writing_everywhere() as unit:
            await unit.tasks.finish(task)
            await unit.commit()
    return connection


async def count(world: World, connection_id: UUID) -> int:
    async with world.units.reading(world.organization_id) as unit:
        return len(await unit.repositories.list(connection_id))


async def test_what_a_person_does_not_wait_for_is_done_by_the_runner(world: World, sync: RepositorySync) -> None:
    connection = await connected(world)

    report = await manager(world, sync, patience_seconds=0).sync_repositories(world.admin, connection.id)

    assert report == SyncReport(added=100)
    [task] = await claimed(world)
    assert (task.subject_id, task.organization_id) == (connection.id, world.organization_id)
    assert await sync.sync_due(task) is None
    assert await count(world, connection.id) == 150
    synced = [row for row in await world.rows("connection_events") if row["type"] == "REPOSITORIES_SYNCED"]
    assert [(row["actor_kind"], row["data"]["added"]) for row in synced] == [(ActorKind.SCHEDULER, 150)]


async def test_who_waits_long_enough_leaves_nothing_to_the_runner(world: World, sync: RepositorySync) -> None:
    connection = await connected(world)

    report = await manager(world, sync).sync_repositories(world.admin, connection.id)

    assert report == SyncReport(added=150, complete=True)
    assert await claimed(world) == []
    [synced] = [row for row in await world.rows("connection_events") if row["type"] == "REPOSITORIES_SYNCED"]
    assert (synced["actor_kind"], synced["actor_user_id"]) == (ActorKind.USER, world.admin.user_id)


async def test_both_take_an_admin_of_the_organization(world: World, sync: RepositorySync) -> None:
    connection = await world.connect(await world.token(repositories=REPOSITORIES[:1]))
    await manager(world, sync).sync_repositories(world.admin, connection.id)
    async with world.units.reading(world.organization_id) as unit:
        [repository] = await unit.repositories.list(connection.id)
    stranger = await world.join((await world.users.create_organization(world.admin, "globex", "Globex")).id, Role.OWNER)

    for viewer, error in ((world.viewers[Role.MEMBER], Forbidden), (stranger, NotFound)):
        with pytest.raises(error):
            await manager(world, sync).sync_repositories(viewer, connection.id)
        with pytest.raises(error):
            await manager(world, sync).update_repository(viewer, repository.id, selected=True)
