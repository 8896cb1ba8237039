"""Deliveries and their consequences: kept once, applied once to each connection, in whatever order they come."""

import asyncio
import itertools
import shutil
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from domain.entities.connection_status import TRANSITIONS, Cause, ConnectionStatus
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.repository import Repository
from domain.entities.repository_sync import RepositorySyncState
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.webhook_delivery import DeliveryState
from domain.errors import ServiceUnavailable
from domain.ports import UnitOfWork
from domain.services.catalogue import ServiceCatalogue
from domain.services.repository_listing import RemoteRepository
from domain.services.webhooks import (
    Delivery,
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookEffect,
    Withdrawn,
)
from domain.task_outcome import Ended
from domain.webhook_processing import BETWEEN_UNPROVEN_SYNCS, MOST_TRIES, WebhookProcessing
from persistence.database import Database
from persistence.row_security import Reach
from persistence.tables import metadata
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.doorbell import Doorbell, delivery
from tests.domain.world import Clock
from tests.every_row import every_row

pytestmark = pytest.mark.anyio
Status = ConnectionStatus
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
UNINSTALLED = Withdrawn("doorbell_uninstalled", "The doorbell was taken down.")
SUSPENDED = Suspended("doorbell_suspended", "The doorbell is muted.")
_numbers = itertools.count(1)


@dataclass
class Hall:
    """Two organizations, the service Doorbell, and a clock that tests move."""

    database: Database
    units: SqlUnitsOfWork
    doorbell: Doorbell
    clock: Clock
    processing: WebhookProcessing
    acme: UUID
    globex: UUID

    async def connection(
        self, organization_id: UUID | None = None, *, key: str = "house:1", status: Status = Status.ACTIVE
    ) -> ServiceConnection:
        owner = organization_id or self.acme
        connection = ServiceConnection.create(
            id=new_id(),
            organization_id=owner,
            service="doorbell",
            name=f"Door {next(_numbers)}",
            labels={},
            settings={},
            required_scopes=(),
            created_by=None,
            now=START,
        )
        connection.status, connection.webhook_key = status, key
        async with self.units.writing(owner) as unit:
            await unit.connections.add(connection)
            await unit.commit()
        return connection

    async def again(self, connection: ServiceConnection) -> ServiceConnection:
        """The connection as it is stored now."""
        async with self.units.reading(connection.organization_id) as unit:
            found = await unit.connections.find(connection.id)
        assert found is not None
        return found

    async def keep(self, sent: Delivery) -> UUID:
        """Store it if it isn't yet; our id of it."""
        await self.processing.keep("doorbell", sent)
        async with self.units.reading_everywhere() as unit:
            kept = await unit.webhook_deliveries.find_delivered("doorbell", sent.id)
        assert kept is not None
        return kept.id

    async def ring(
        self, *effects: WebhookEffect, keys: Sequence[str] = ("house:1",), at: datetime | None = None
    ) -> UUID:
        """A new delivery, processed; our id of it."""
        kept = await self.keep(delivery(f"delivery-{next(_numbers)}", *effects, keys=keys, at=at))
        await self.processing.process(kept)
        return kept

    async def state(self, delivery_id: UUID) -> DeliveryState:
        async with self.units.reading_everywhere() as unit:
            kept = await unit.webhook_deliveries.find(delivery_id)
        assert kept is not None
        return kept.state

    async def tasks(self, kind: TaskKind) -> list[UUID]:
        """What tasks of that kind are about."""
        return [row["subject_id"] for row in await self.rows("tasks") if row["kind"] == kind.value]

    async def claim(self) -> Sequence[Task]:
        now = self.clock()
        async with self.units.writing_everywhere() as unit:
            claimed = await unit.tasks.claim(now, now + timedelta(minutes=1), 10, [TaskKind.PROCESS_WEBHOOK])
            await unit.commit()
        return claimed

    async def events(self, connection: ServiceConnection) -> list[dict[str, Any]]:
        events = [row for row in await self.rows("connection_events") if row["connection_id"] == connection.id]
        return sorted(events, key=lambda row: row["sequence"])

    async def repositories(self, connection: ServiceConnection) -> dict[str, Repository]:
        async with self.units.reading(connection.organization_id) as unit:
            return {each.external_id: each for each in await unit.repositories.list(connection.id)}

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with every_row(self.database) as connection:
            return [dict(row) for row in (await connection.execute(select(metadata.tables[table]))).mappings()]


@asynccontextmanager
async def a_hall(database_url: str) -> AsyncIterator[Hall]:
    async with Database(database_url) as database:
        units, clock, doorbell = SqlUnitsOfWork(database, lambda organization_id: None), Clock(), Doorbell()
        owners = [
            Organization.create(id=new_id(), slug=slug, name=slug.title(), now=START) for slug in ("acme", "globex")
        ]
        async with units.writing_everywhere() as unit:
            for owner in owners:
                await unit.organizations.add(owner)
            await unit.commit()
        processing = WebhookProcessing(units, ServiceCatalogue([doorbell]), clock)
        yield Hall(database, units, doorbell, clock, processing, *(owner.id for owner in owners))


@pytest.fixture
async def hall(database_url: str) -> AsyncIterator[Hall]:
    async with a_hall(database_url) as made:
        yield made


# Keeping


async def test_a_delivery_is_kept_with_its_task_and_a_repeat_leaves_nothing_more(hall: Hall) -> None:
    sent = delivery("d-1", UNINSTALLED)

    assert [await hall.processing.keep("doorbell", sent) for _ in range(3)] == [True, False, False]

    [kept] = await hall.rows("webhook_deliveries")
    assert (kept["delivery_id"], kept["body"], kept["state"]) == ("d-1", sent.body, "RECEIVED")
    assert await hall.tasks(TaskKind.PROCESS_WEBHOOK) == [kept["id"]]


# What each effect does


async def test_every_connection_of_the_grant_hears_of_it_whoevers_it_is_and_no_other(hall: Hall) -> None:
    ours, theirs = await hall.connection(), await hall.connection(hall.globex)
    other = await hall.connection(key="house:2")

    kept = await hall.ring(UNINSTALLED)

    for connection in (ours, theirs):
        now = await hall.again(connection)
        assert (now.status, now.version) == (Status.REVOKED, connection.version + 1)
        assert now.status_reason is not None
        assert (now.status_reason.code, now.status_reason.message, now.status_reason.remedy) == (
            "DOORBELL_UNINSTALLED",
            "The doorbell was taken down.",
            "RECONNECT",
        )
        told, moved = await hall.events(connection)
        assert (told["type"], moved["type"]) == ("WEBHOOK_RECEIVED", "STATUS_CHANGED")
        assert told["data"].keys() == {"service", "type", "deliveryId"}
        assert {(event["actor_kind"], event["actor_name"]) for event in (told, moved)} == {("SERVICE", "Doorbell")}
    assert await hall.events(other) == []
    assert (await hall.again(other)).status is Status.ACTIVE
    assert await hall.state(kept) is DeliveryState.PROCESSED


async def test_a_suspension_ends_with_a_check_due_now(hall: Hall) -> None:
    connection = await hall.connection()

    await hall.ring(SUSPENDED)
    suspended = await hall.again(connection)
    assert (suspended.status, suspended.suspended) == (Status.INACTIVE, True)
    hall.clock.advance(minutes=1)
    await hall.ring(Unsuspended())

    ended = await hall.again(connection)
    assert ended.status is Status.ACTIVE
    assert ended.health.next_check_at is not None
    assert ended.health.next_check_at <= hall.clock()


async def test_a_suspension_that_comes_after_its_end_changes_nothing(hall: Hall) -> None:
    connection, now = await hall.connection(), hall.clock()

    await hall.ring(Unsuspended(), at=now - timedelta(seconds=5))
    await hall.ring(SUSPENDED, at=now - timedelta(seconds=10))

    assert (await hall.again(connection)).status is Status.ACTIVE


async def test_changed_scopes_are_checked_soon_and_leave_the_version(hall: Hall) -> None:
    connection = await hall.connection()

    await hall.ring(ScopesChanged())

    now = await hall.again(connection)
    assert now.health.next_check_at is not None
    assert (now.status, now.version) == (Status.ACTIVE, connection.version)


async def test_what_means_nothing_is_told_and_what_is_about_nobody_is_kept(hall: Hall) -> None:
    connection = await hall.connection()

    told, unheard = await hall.ring(), await hall.ring(UNINSTALLED, keys=["house:3"])

    assert [event["type"] for event in await hall.events(connection)] == ["WEBHOOK_RECEIVED"]
    assert await hall.again(connection) == connection
    assert {await hall.state(each) for each in (told, unheard)} == {DeliveryState.PROCESSED}


async def test_a_deleted_connection_hears_nothing(hall: Hall) -> None:
    connection = await hall.connection()
    async with hall.units.writing(hall.acme) as unit:
        stored = await unit.connections.get(connection.id)
        stored.delete(hall.clock())
        await unit.connections.save(stored)
        await unit.commit()

    assert await hall.state(await hall.ring(UNINSTALLED)) is DeliveryState.PROCESSED
    assert await hall.events(connection) == []


# Repositories


def remote(external_id: str, full_name: str, *, archived: bool = False) -> RemoteRepository:
    return RemoteRepository(external_id, full_name, f"https://doorbell.example/{full_name}", "main", False, archived)


async def test_repositories_come_change_and_go_by_their_id_and_stay_selected(hall: Hall) -> None:
    connection = await hall.connection()
    await hall.ring(RepositoriesChanged(present=[remote("1", "acme/api"), remote("2", "acme/web")]))
    api = (await hall.repositories(connection))["1"]
    async with hall.units.writing(hall.acme) as unit:
        await unit.repositories.save(replace(api, selected=True))
        await unit.commit()

    renamed = remote("1", "acme/server", archived=True)
    await hall.ring(RepositoriesChanged(present=[renamed, remote("3", "acme/app")], removed_ids=["2", "unknown"]))

    repositories = await hall.repositories(connection)
    assert repositories.keys() == {"1", "3"}
    assert (repositories["1"].id, repositories["1"].full_name) == (api.id, "acme/server")
    assert (repositories["1"].archived, repositories["1"].selected) == (True, True)
    assert not repositories["3"].selected
    assert await hall.tasks(TaskKind.SYNC_REPOSITORIES) == []


async def test_what_a_delivery_doesnt_say_is_left_to_a_sync(hall: Hall) -> None:
    connection = await hall.connection()
    await hall.ring(RepositoriesChanged(sync=True))
    assert await hall.tasks(TaskKind.SYNC_REPOSITORIES) == [connection.id]


async def test_a_report_that_anybody_may_have_made_up_brings_few_syncs(hall: Hall) -> None:
    connection, now = await hall.connection(), hall.clock()
    unproven = RepositoriesChanged(sync=True, unproven=True)

    async def due() -> datetime:
        async with hall.units.writing(hall.acme) as unit:
            task = await unit.tasks.find(TaskKind.SYNC_REPOSITORIES, connection.id)
            await unit.tasks.remove(connection.id)
            await unit.commit()
        assert task is not None
        return task.due_at

    async def synced(*, began: datetime | None, ended: datetime) -> None:
        state = RepositorySyncState(hall.acme, connection.id, started_at=began, completed_at=ended)
        async with hall.units.writing(hall.acme) as unit:
            await unit.repository_syncs.save(state)
            await unit.commit()

    await hall.ring(unproven)
    assert await due() - now < timedelta(seconds=10)
    for began, ended in ((None, now), (now, now - timedelta(hours=1))):
        await synced(began=began, ended=ended)
        await hall.ring(unproven)
        assert await due() == now + BETWEEN_UNPROVEN_SYNCS
        await hall.ring(RepositoriesChanged(sync=True))
        assert await due() - now < timedelta(seconds=10)
    await synced(began=None, ended=now - BETWEEN_UNPROVEN_SYNCS)
    await hall.ring(unproven)
    assert await due() - now < timedelta(seconds=10)


async def test_repositories_of_which_later_news_are_known_are_left_to_a_sync(hall: Hall) -> None:
    connection = await hall.connection()
    now = hall.clock()
    await hall.ring(RepositoriesChanged(present=[remote("1", "acme/new")]), at=now)

    earlier = RepositoriesChanged(present=[remote("1", "acme/old"), remote("2", "acme/web")], removed_ids=["1"])
    await hall.ring(earlier, at=now - timedelta(seconds=5))

    repositories = await hall.repositories(connection)
    assert {each.external_id: each.full_name for each in repositories.values()} == {"1": "acme/new", "2": "acme/web"}
    assert await hall.tasks(TaskKind.SYNC_REPOSITORIES) == [connection.id]


async def test_a_service_without_repositories_is_given_no_sync(hall: Hall) -> None:
    await hall.connection()
    hall.doorbell.repositories = None
    await hall.ring(RepositoriesChanged(sync=True))
    assert await hall.tasks(TaskKind.SYNC_REPOSITORIES) == []


# Twice, late, and in between


async def test_processing_again_changes_nothing(hall: Hall) -> None:
    connection = await hall.connection()
    kept = await hall.ring(SUSPENDED)
    seen, told = await hall.again(connection), await hall.events(connection)

    await hall.processing.process(kept)

    assert await hall.again(connection) == seen
    assert await hall.events(connection) == told


async def test_an_old_delivery_replayed_leaves_what_was_reconnected_since(hall: Hall) -> None:
    connection = await hall.connection()
    kept = await hall.ring(UNINSTALLED)
    async with hall.units.writing(hall.acme) as unit:
        stored = await unit.connections.get(connection.id)
        stored.status = Status.ACTIVE
        await unit.connections.save(stored)
        await unit.commit()

    await hall.processing.process(kept)

    assert (await hall.again(connection)).status is Status.ACTIVE


async def test_whoever_comes_after_a_killed_process_tells_the_rest_and_nobody_twice(hall: Hall) -> None:
    connections = [await hall.connection(each) for each in (hall.acme, hall.globex, hall.acme)]
    kept = await hall.keep(delivery("d-1", UNINSTALLED))

    for commits in range(3):
        units = EndsAfter(hall.units, commits)
        dying = WebhookProcessing(units, ServiceCatalogue([hall.doorbell]), hall.clock)
        with pytest.raises(ServiceUnavailable):
            await dying.process(kept)
    assert await hall.state(kept) is DeliveryState.RECEIVED

    await hall.processing.process(kept)

    for connection in connections:
        assert [event["type"] for event in await hall.events(connection)] == ["WEBHOOK_RECEIVED", "STATUS_CHANGED"]
    assert await hall.state(kept) is DeliveryState.PROCESSED


async def test_several_processes_at_once_tell_it_once(hall: Hall) -> None:
    connections = [await hall.connection(each) for each in (hall.acme, hall.globex)]
    kept = await hall.keep(delivery("d-1", UNINSTALLED))

    await asyncio.gather(*(hall.processing.process(kept) for _ in range(5)))

    for connection in connections:
        assert [event["type"] for event in await hall.events(connection)] == ["WEBHOOK_RECEIVED", "STATUS_CHANGED"]


async def test_a_delivery_that_comes_several_times_at_once_is_new_once(hall: Hall) -> None:
    sent = delivery("d-1", UNINSTALLED)
    assert sorted(await asyncio.gather(*(hall.processing.keep("doorbell", sent) for _ in range(5)))) == [False] * 4 + [
        True
    ]


async def test_a_forgotten_delivery_is_nothing_to_process(hall: Hall) -> None:
    await hall.processing.process(uuid.uuid4())
    assert await hall.rows("webhook_deliveries") == []


async def test_deliveries_of_a_service_that_takes_none_now_wait_for_a_replay(hall: Hall) -> None:
    connection = await hall.connection()
    taken_away, hall.doorbell.webhooks = hall.doorbell.webhooks, None
    kept = await hall.ring(UNINSTALLED)
    assert await hall.state(kept) is DeliveryState.FAILED
    assert await hall.events(connection) == []

    hall.doorbell.webhooks = taken_away
    await hall.processing.process(kept)
    assert await hall.state(kept) is DeliveryState.PROCESSED
    assert (await hall.again(connection)).status is Status.REVOKED


async def test_what_fails_again_and_again_is_given_up_and_can_be_replayed(hall: Hall) -> None:
    connection = await hall.connection()
    kept = await hall.keep(delivery("d-1", UNINSTALLED))
    [task] = await hall.claim()

    assert await hall.processing.run(replace(task, attempts=MOST_TRIES + 1)) == Ended()
    assert await hall.state(kept) is DeliveryState.FAILED
    assert await hall.events(connection) == []

    assert await hall.processing.run(task) is None
    assert await hall.state(kept) is DeliveryState.PROCESSED
    assert (await hall.again(connection)).status is Status.REVOKED


# Replay


async def test_a_replay_puts_the_tasks_of_those_that_are_meant(hall: Hall) -> None:
    early = await hall.ring()
    hall.clock.advance(minutes=10)
    since = hall.clock()
    late = [await hall.ring() for _ in range(25)]  # more than a page
    async with hall.units.writing_everywhere() as unit:
        for each in (early, *late):
            await unit.tasks.remove(each)
        await unit.commit()

    assert [each.id async for each in hall.processing.replay_since("doorbell", since)] == late
    assert sorted(await hall.tasks(TaskKind.PROCESS_WEBHOOK)) == sorted(late)
    assert [each async for each in hall.processing.replay_since("github", START)] == []

    [oldest] = [row for row in await hall.rows("webhook_deliveries") if row["id"] == early]
    found = await hall.processing.replay("doorbell", oldest["delivery_id"])
    assert found is not None
    assert sorted(await hall.tasks(TaskKind.PROCESS_WEBHOOK)) == sorted([early, *late])
    assert await hall.processing.replay("doorbell", "never sent") is None


# Any sequence

GRANT_EFFECTS = st.sampled_from([UNINSTALLED, SUSPENDED, Unsuspended(), ScopesChanged()])
DELIVERIES = st.lists(
    st.tuples(st.lists(GRANT_EFFECTS, max_size=2), st.none() | st.integers(0, 60)), min_size=1, max_size=5
)


@settings(max_examples=25)
@given(sent=DELIVERIES, order=st.lists(st.integers(0, 4), max_size=12), statuses=st.lists(st.sampled_from(Status)))
async def test_whatever_comes_in_whatever_order_and_again_each_connection_hears_of_each_once(
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[tuple[list[WebhookEffect], int | None]],
    order: list[int],
    statuses: list[Status],
) -> None:
    file = tmp_path_factory.mktemp("any") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    async with a_hall(f"sqlite+aiosqlite:///{file}") as hall:
        connections = [await hall.connection(status=status) for status in statuses[:3]]
        now = hall.clock()
        kept = []
        for number, (effects, seconds) in enumerate(sent):
            at = None if seconds is None else now - timedelta(seconds=seconds)
            kept.append(await hall.keep(delivery(str(number), *effects, at=at)))

        for place in order:
            await hall.processing.process(kept[place % len(kept)])

        processed = {str(place % len(kept)) for place in order}
        for connection in connections:
            events = await hall.events(connection)
            told = [event["data"]["deliveryId"] for event in events if event["type"] == "WEBHOOK_RECEIVED"]
            assert sorted(told) == sorted(processed)
            status = connection.status
            for event in events:
                if event["type"] == "STATUS_CHANGED":
                    step = Status(event["status_from"]), Status(event["status_to"])
                    assert step[0] is status
                    assert Cause.SERVICE in TRANSITIONS[step]
                    status = step[1]
            assert (await hall.again(connection)).status is status


class EndsAfter(SqlUnitsOfWork):
    """Units of work of a process that is killed after so many commits: its database is gone from then on."""

    def __init__(self, units: SqlUnitsOfWork, commits: int) -> None:
        super().__init__(units.database, lambda organization_id: None)
        self._left = commits

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        if writes:
            if self._left == 0:
                raise ServiceUnavailable
            self._left -= 1
        return super().begin(reach, organization_id, writes=writes)
