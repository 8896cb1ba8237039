"""What is recorded of people and keys: beside each event that they cause, and where no event tells of them; and until
when.
"""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from domain.entities.audit import ACTION_OF_EVENT, AuditAction, AuditRecord
from domain.entities.event import OPERATOR, SCHEDULER, Actor, ActorKind, ConnectionEventType, EventDraft
from domain.entities.identifiers import Kind, typed_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.entities.user import Role
from domain.request_origin import RequestOrigin, request_from, request_origin
from domain.retention import BATCH, Retention
from persistence.tables import audit_records
from tests.domain.test_connection_checks import asked
from tests.domain.world import World
from tests.every_row import every_row

pytestmark = pytest.mark.anyio

ORIGIN = RequestOrigin("203.0.113.7", "0123456789abcdef")
OF_TETHER = {
    ConnectionEventType.CREDENTIALS_EXPIRING,
    ConnectionEventType.WEBHOOK_RECEIVED,
    ConnectionEventType.SERVICE_STATUS_CHANGED,
}


async def records(world: World) -> list[dict[str, Any]]:
    """In the order in which they were made, without those of the world's own making."""
    made = [row for row in await world.rows("audit_records") if row["actor_kind"] != ActorKind.OPERATOR]
    return sorted(made, key=lambda row: row["id"])


def test_each_type_of_event_is_an_action_or_never_a_persons() -> None:
    assert set(ACTION_OF_EVENT) == set(ConnectionEventType) - OF_TETHER
    assert len(set(ACTION_OF_EVENT.values())) == len(ACTION_OF_EVENT)
    assert all(action.startswith("CONNECTION_") for action in ACTION_OF_EVENT.values())


async def test_nothing_has_an_origin_outside_of_requests() -> None:
    assert request_origin() == RequestOrigin(None, None)
    with request_from(ORIGIN):
        assert request_origin() == ORIGIN
        assert await asyncio.create_task(_origin()) == ORIGIN
        with request_from(RequestOrigin("::1", "inner")):
            assert request_origin().request_id == "inner"
        assert request_origin() == ORIGIN
    assert request_origin() == RequestOrigin()


async def _origin() -> RequestOrigin:
    return request_origin()


async def test_what_a_person_does_to_a_connection_is_recorded_with_its_name_then(world: World) -> None:
    with request_from(ORIGIN):
        created = await world.connect(name="Old name")
        await world.manager.update_connection(world.admin, created.id, name="New name")

    made = await records(world)
    events = {typed_id(Kind.EVENT, row["id"]): row for row in await world.rows("connection_events")}
    assert [(row["action"], row["subject_name"]) for row in made] == [
        ("CONNECTION_CREATED", "Old name"),
        ("CONNECTION_HEALTH_CHECKED", "Old name"),
        ("CONNECTION_HEALTH_CHANGED", "Old name"),
        ("CONNECTION_STATUS_CHANGED", "Old name"),
        ("CONNECTION_UPDATED", "New name"),
    ]
    for row in made:
        event = events.pop(row["data"]["eventId"])
        assert row["action"] == f"CONNECTION_{event['type']}"
        assert row["subject_id"] == typed_id(Kind.CONNECTION, created.id)
        assert row["occurred_at"] == event["occurred_at"]
        assert (row["actor_kind"], row["actor_name"], row["actor_user_id"]) == ("USER", *_person(world))
        assert (row["address"], row["request_id"]) == (event["address"], event["request_id"]) == tuple(_told(ORIGIN))
    assert events == {}


def _person(world: World) -> tuple[str, Any]:
    return world.admin.user_name, world.admin.user_id


def _told(origin: RequestOrigin) -> tuple[str | None, str | None]:
    return origin.address, origin.request_id


@pytest.mark.parametrize(
    "actor", [SCHEDULER, OPERATOR, Actor(ActorKind.SERVICE, "GitHub")], ids=lambda actor: actor.kind
)
async def test_what_nobody_answers_for_is_an_event_alone(world: World, actor: Actor) -> None:
    connection = await world.connect()
    before = await world.rows("audit_records")
    draft = EventDraft(ConnectionEventType.UPDATED, world.organization_id, connection.id, world.clock())
    async with world.units.writing(world.organization_id) as unit:
        await unit.events.append([draft], actor)
        await unit.commit()
    assert await world.rows("audit_records") == before


async def test_a_record_is_kept_with_the_change_or_not_at_all(world: World) -> None:
    before = await records(world)
    async with world.units.writing(world.organization_id) as unit:
        organization = await unit.organizations.get(world.organization_id)
        actor, action = Actor.of(world.admin), AuditAction.ORGANIZATION_UPDATED
        await unit.audit.add(AuditRecord.of_organization(actor, organization, action, world.clock(), {}))
    assert await records(world) == before


async def test_who_asks_for_a_check_that_is_running_is_recorded_too(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="slow", delay_seconds=0.5)

    first = asyncio.create_task(_checks(world, Role.ADMIN, created.id, "first"))
    await asked(world, token, 2)
    second = asyncio.create_task(_checks(world, Role.MEMBER, created.id, "second"))

    assert await first == await second
    made = {row["request_id"]: row for row in await records(world)}
    for request_id, role in (("first", Role.ADMIN), ("second", Role.MEMBER)):
        assert made[request_id]["action"] == "CONNECTION_HEALTH_CHECKED"
        assert made[request_id]["actor_user_id"] == world.viewers[role].user_id
        assert made[request_id]["data"]["healthCheckId"] == typed_id(Kind.HEALTH_CHECK, await first)
    assert await world.calls(token) == 2


async def _checks(world: World, role: Role, connection_id: Any, request_id: str) -> Any:
    with request_from(RequestOrigin("203.0.113.7", request_id)):
        return (await world.manager.check_connection_health(world.viewers[role], connection_id)).id


async def test_the_log_is_kept_for_its_time(world: World) -> None:
    now, kept = world.clock(), timedelta(days=400)
    old, young = [now - kept - timedelta(seconds=1)] * (BATCH + 3), [now - kept + timedelta(minutes=5)] * 2
    rows = [
        {
            "organization_id": world.organization_id,
            "id": uuid4(),
            "occurred_at": at,
            "action": "SIGNED_IN",
            "actor_kind": "USER",
            "actor_name": "Ada",
            "data": {},
        }
        for at in [*old, *young]
    ]
    async with every_row(world.database) as connection:
        await connection.execute(insert(audit_records), rows)
    task = Task(uuid4(), TaskKind.FORGET_AUDIT_RECORDS, WHOLE_SERVER, None, now)

    await Retention(world.units, world.clock, kept).forget_audit_records(task)

    async with every_row(world.database) as connection:
        left = (await connection.execute(select(audit_records.c.id).where(audit_records.c.actor_name == "Ada"))).all()
    assert {row.id for row in left} == {row["id"] for row in rows[-2:]}
