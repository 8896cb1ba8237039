"""The database is gone: what clients see of it, that nothing internal shows, and that all comes back by itself."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from domain.api_key import generate_api_key
from domain.entities.identifiers import new_id
from domain.entities.user import Role
from gql.sample import FOUNDER, SLUG
from tests.gql.client import JSON, RESPONSE_JSON, Client
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import SigningIn, a_browser_at
from tests.gql.waiting import eventually
from tests.persistence.cable import Cable, cable_to
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

UNAVAILABLE = ("SERVICE_UNAVAILABLE", "Tether can't reach its database. Try again in a few seconds.")
READ = '{ organization(by: {slug: "acme"}) { connections { nodes { name } } } }'
RENAME = "mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) { connection { name } } }"
FOLLOW = """
subscription ($id: ID!, $after: String) {
  connectionEvents(organizationId: $id, after: $after) { sequence connection { name } }
}
"""
CHECKS = {"database": "ok", "migrations": "ok", "key": "ok"}
GONE = {"database": "failed", "migrations": "unknown", "key": "unknown"}
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def cable(database_url: str, tmp_path: Path) -> AsyncIterator[Cable]:
    async with cable_to(database_url, tmp_path) as connected:
        yield connected


@postgresql_only
async def test_while_the_server_is_gone_operations_say_so_and_then_work_again(
    cable: Cable, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(cable.url, sandbox, encryption_key) as server:
        client = await server.member()
        connection = await server.connect(client, name="Old")
        rename = {"input": {"connectionId": connection["id"], "name": "New"}}
        assert await _readiness(server) == (200, {"status": "ready", "checks": CHECKS})

        await cable.cut()
        await _is_unavailable(client, READ)
        await _is_unavailable(client, RENAME, **rename)
        await _is_unavailable(server.client(generate_api_key(new_id()).token.reveal()), READ)
        await eventually(lambda: _readiness_is(server, 503, {"status": "not ready", "checks": GONE}))
        assert (await server.http.get("/livez")).json() == {"status": "alive"}

        await cable.mend()
        assert await eventually(lambda: _data(client, READ)) == _named("Old")
        assert await _data(client, RENAME, **rename) == {"updateConnection": {"connection": {"name": "New"}}}
        await eventually(lambda: _readiness_is(server, 200, {"status": "ready", "checks": CHECKS}))


@postgresql_only
async def test_browsers_are_told_and_signed_in_again_when_it_is_back(
    cable: Cable, sandbox: SandboxServer, encryption_key: str, database_url: str
) -> None:
    async with running_tether(database_url, sandbox, encryption_key) as first:
        await first.token(SLUG, FOUNDER, Role.OWNER)
    async with (
        running_tether(cable.url, sandbox, encryption_key) as server,
        a_browser_at(server) as known,
        a_browser_at(server) as new,
    ):
        await known.get("/graphql")
        assert await known.who() == FOUNDER
        page = await new.leave()

        await cable.cut()
        answer = await eventually(lambda: _refused(known))  # who is signed in is remembered for a moment
        assert answer == UNAVAILABLE
        assert ((await new.get("/graphql")).status_code, new.secret) == (200, None)
        callback = await new.choose(page)
        assert (await new.get(callback)).status_code == 503
        assert (await new.get("/sign-in")).status_code == 303
        assert (await known.sign_out()).status_code == 503

        await cable.mend()
        assert await eventually(known.who) == FOUNDER
        await new.get(callback)  # it wasn't used up
        assert await new.who() == FOUNDER


async def _refused(browser: SigningIn) -> tuple[str, str] | None:
    answer = await browser.ask()
    return answer.error if answer.body.get("errors") else None


@postgresql_only
async def test_a_subscription_waits_for_the_server_and_misses_nothing(
    cable: Cable, sandbox: SandboxServer, encryption_key: str, database_url: str
) -> None:
    async with (
        running_tether(cable.url, sandbox, encryption_key) as server,
        running_tether(database_url, sandbox, encryption_key) as other,
    ):
        client = await server.member()
        organization_id = await server.organization_id()
        after = f"evt~{organization_id.removeprefix('org_')}~1~0"
        async with server.subscribe(client, FOLLOW, id=organization_id, after=after) as followed:
            connection = await server.connect(client, name="Old")
            await followed.events(4)

            await cable.cut()
            await _is_unavailable(client, READ)
            elsewhere = other.client(client.token)
            for number in range(5):
                await elsewhere.data(RENAME, input={"connectionId": connection["id"], "name": f"N{number}"})
            await cable.mend()

            assert [event["sequence"] for event in await followed.events(5)] == [5, 6, 7, 8, 9]


@postgresql_only
async def test_a_subscription_that_begins_while_the_server_is_gone_says_so(
    cable: Cable, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(cable.url, sandbox, encryption_key) as server:
        client = await server.member()
        organization_id = await server.organization_id()
        async with server.socket(client.token) as socket:
            await cable.cut()
            followed = await socket.subscribe(FOLLOW, id=organization_id)

            assert await followed.error() == UNAVAILABLE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_file_that_another_process_locks_for_too_long_stops_writes_and_not_reads(
    server: TetherServer, database_url: str
) -> None:
    client = await server.member()
    connection = await server.connect(client, name="Old")
    rename = {"input": {"connectionId": connection["id"], "name": "New"}}
    database = make_url(database_url).database
    assert database is not None
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert await client.error(RENAME, **rename) == (
            "SERVICE_UNAVAILABLE",
            "The database took too long over this. Ask for less at once, or try again in a few seconds.",
        )
        assert await client.data(READ) == _named("Old")
    finally:
        other.close()
    assert await client.data(RENAME, **rename) == {"updateConnection": {"connection": {"name": "New"}}}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_tables_that_are_gone_are_no_outage_and_show_nothing_internal(server: TetherServer) -> None:
    """Nothing that waiting mends: the operator has to look, and the client learns by which id."""
    client = await server.member()
    async with server.tether.database.engine.begin() as session:
        await session.exec_driver_sql("ALTER TABLE organizations RENAME TO elsewhere")

    answer = await client.execute(READ)
    code, message = answer.error
    assert code == "INTERNAL_SERVER_ERROR"
    assert message == f"Something went wrong in Tether. Its operators find it in their logs by {answer.request_id}."


async def _is_unavailable(client: Client, query: str, **variables: Any) -> None:
    """In both forms of an answer, with no word of the driver's."""
    for accept, status in ((JSON, 200), (RESPONSE_JSON, 503)):
        answer = await client.post({"query": query, "variables": variables}, accept=accept)
        assert answer.error == UNAVAILABLE
        assert answer.status in {200, status}  # 200 where the outage came up in a field
        assert set(answer.body) <= {"data", "errors", "extensions"}
        assert not any((answer.body.get("data") or {}).values())


async def _data(client: Client, query: str, **variables: Any) -> Any:
    """The data, or None as long as there are errors."""
    answer = await client.execute(query, **variables)
    return None if "errors" in answer.body else answer.data


async def _readiness(server: TetherServer) -> tuple[int, Any]:
    response = await server.http.get("/readyz")
    return response.status_code, response.json()


async def _readiness_is(server: TetherServer, status: int, body: dict[str, Any]) -> bool:
    return await _readiness(server) == (status, body)


def _named(name: str) -> dict[str, Any]:
    return {"organization": {"connections": {"nodes": [{"name": name}]}}}
