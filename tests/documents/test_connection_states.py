"""What is read of connections for commands: groups that miss nobody and mix nothing up."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.call_budget import may_call
from domain.connection_states import AboutConnections, Ending, OrganizationState
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import ServiceRateLimit
from domain.entities.user import Viewer
from domain.schedule import takes_calls_again_at
from persistence.connection_state_reader import ConnectionStateReader
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values
from tests.documents.world_maker import NOW, Row

pytestmark = pytest.mark.anyio

ALL = ("github", "slack")


@pytest.fixture
def viewer(world: World) -> Viewer:
    """The one who is everywhere a member."""
    return Values(world).viewers()[0]


def _acme(world: World) -> UUID:
    id_: UUID = next(row["id"] for row in world.table("organizations") if row["slug"] == "acme")
    return id_


def _alive(world: World) -> list[Row]:
    rows = world.table("service_connections")
    return [row for row in rows if row["organization_id"] == _acme(world) and row["deleted_at"] is None]


async def _read(path: Reading, world: World, viewer: Viewer, about: AboutConnections) -> OrganizationState:
    state = await ConnectionStateReader(path.database).read(viewer, _acme(world), about, NOW)
    assert state is not None
    return state


async def test_every_connection_is_in_one_group_with_those_that_are_like_it(
    read_path: Reading, world: World, viewer: Viewer
) -> None:
    state = await _read(read_path, world, viewer, AboutConnections(10_000, ALL))
    shown = {connection.id: group.state for group in state.groups for connection in group.foremost}
    members = {connection.id: connection for group in state.groups for connection in group.foremost}
    rows = _alive(world)
    assert shown.keys() == {row["id"] for row in rows}
    assert [group.size for group in state.groups] == [len(group.foremost) for group in state.groups]
    assert len({group.state for group in state.groups}) == len(state.groups)
    credentials = {row["connection_id"]: row for row in world.table("service_credentials")}
    health = {row["connection_id"]: row for row in world.table("connection_health")}
    for row in rows:
        found, credential, limits = shown[row["id"]], credentials.get(row["id"]), health[row["id"]]
        assert (found.service, found.status, found.health) == (
            row["service"],
            ConnectionStatus(row["status"]),
            row["health_status"],
        )
        scopes = None if credential is None else credential["scopes"]
        assert found.scopes == (None if scopes is None else frozenset(scopes))
        assert found.kind == (None if credential is None else credential["kind"])
        ends_at = None
        if credential is not None:
            ends_at = credential["refresh_expires_at" if credential["refreshable"] else "expires_at"]
        ends = Ending.NOT_SOON if ends_at is None or ends_at > NOW + timedelta(days=7) else Ending.SOON
        assert found.ending is (Ending.ENDED if ends_at is not None and ends_at <= NOW else ends)
        assert members[row["id"]].ends_at == ends_at
        limit = ServiceRateLimit(
            remaining=limits["rate_limit_remaining"],
            reset_at=limits["rate_limit_reset_at"],
            blocked_until=limits["rate_limit_blocked_until"],
        )
        held_back = may_call(row["service"], limit, NOW) is not None  # by which a run is held back, too
        expected = takes_calls_again_at(limit) if held_back else None
        assert (found.limited, members[row["id"]].limited_until) == (held_back, expected)
        assert not found.reaches


async def test_a_repository_is_reached_by_those_that_have_listed_it(
    read_path: Reading, world: World, viewer: Viewer
) -> None:
    alive = {row["id"]: row for row in _alive(world)}
    for repository in [row for row in world.table("repositories") if row["connection_id"] in alive][:5]:
        state = await _read(read_path, world, viewer, AboutConnections(10_000, ALL, repository_id=repository["id"]))
        assert state.repository is not None
        assert state.repository.full_name == repository["full_name"]
        service = alive[repository["connection_id"]]["service"]
        assert {each.id for group in state.groups if group.state.reaches for each in group.foremost} == {
            row["connection_id"]
            for row in world.table("repositories")
            if row["external_id"] == repository["external_id"]
            and row["connection_id"] in alive
            and alive[row["connection_id"]]["service"] == service
        }


async def test_whoever_is_no_member_is_told_nothing(read_path: Reading, world: World, viewer: Viewer) -> None:
    reader = ConnectionStateReader(read_path.database)
    stranger = Viewer(UUID(int=7), "", viewer.role_cap)
    assert await reader.read(stranger, _acme(world), AboutConnections(5, ALL), NOW) is None
    confined = Viewer(viewer.user_id, "", viewer.role_cap, confined_to=UUID(int=7))
    assert await reader.read(confined, _acme(world), AboutConnections(5, ALL), NOW) is None
