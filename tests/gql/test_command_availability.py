"""organization.commands: what can be done through which connection, and every reason why not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from domain.entities.identifiers import new_id
from domain.entities.user import Role
from persistence.tables import connection_health, service_connections, service_credentials, service_incidents
from tests.gql.client import Client
from tests.gql.server import TetherServer, uuid_of

pytestmark = pytest.mark.anyio

COMMANDS = """query ($eventType: String, $repositoryId: ID, $first: Int! = 5) {
  organization(by: {slug: "acme"}) {
    name
    commands(eventType: $eventType, repositoryId: $repositoryId) {
      command { id service { id } } usable connectionCount usableCount
      reasons { code message remedy until blocking }
      connections(first: $first) { usable connection { id name } reasons { code message remedy until blocking } }
    }
    slug
  }
}"""


async def available(client: Client, **variables: Any) -> dict[str, Any]:
    """By the id of the command."""
    organization = (await client.data(COMMANDS, **variables))["organization"]
    assert list(organization) == ["name", "commands", "slug"]
    return {each["command"]["id"]: each for each in organization["commands"]}


async def reasons(client: Client, command: str, **variables: Any) -> list[dict[str, Any]]:
    """What stands against a command through the only connection."""
    [connection] = (await available(client, **variables))[command]["connections"]
    found: list[dict[str, Any]] = connection["reasons"]
    assert connection["usable"] is not any(reason["blocking"] for reason in found)
    return found


async def alter(server: TetherServer, connection: Any, **values: Any) -> None:
    await server.alter(
        update(service_connections).where(service_connections.c.id == uuid_of(connection["id"])).values(**values)
    )


async def alter_credential(server: TetherServer, connection: Any, **values: Any) -> None:
    await server.alter(
        update(service_credentials)
        .where(service_credentials.c.connection_id == uuid_of(connection["id"]))
        .values(**values)
    )


async def alter_health(server: TetherServer, connection: Any, **values: Any) -> None:
    await server.alter(
        update(connection_health).where(connection_health.c.connection_id == uuid_of(connection["id"])).values(**values)
    )


async def test_a_new_connection_can_be_used_for_all_that_its_service_does(server: TetherServer) -> None:
    admin, member = await server.member(Role.ADMIN), await server.member(Role.MEMBER)
    connection = await server.connect(admin, name="Ours")

    found = await available(member)

    assert list(found) == sorted(
        command.id for service in server.tether.catalogue for command in service.commands or ()
    )
    issue = found["github.create_issue"]
    assert issue == {
        "command": {"id": "github.create_issue", "service": {"id": "github"}},
        "usable": True,
        "connectionCount": 1,
        "usableCount": 1,
        "reasons": [],
        "connections": [{"usable": True, "connection": {"id": connection["id"], "name": "Ours"}, "reasons": []}],
    }
    assert found["slack.post_message"]["reasons"] == [
        {
            "code": "NOT_CONNECTED",
            "message": "The organization has no connection to the service.",
            "remedy": "CONTACT_ADMIN",
            "until": None,
            "blocking": True,
        }
    ]
    assert found["slack.post_message"]["connections"] == []


async def test_only_what_suits_an_event_is_told_where_one_is_given(server: TetherServer) -> None:
    client = await server.member(Role.MEMBER)
    assert set(await available(client, eventType="issues")) == {"github.comment"} | {
        command.id
        for service in server.tether.catalogue
        for command in service.commands or ()
        if "issues" in command.event_types
    }
    assert await available(client, eventType="no such type") == {}


async def test_each_reason_why_not_is_told_with_what_helps(server: TetherServer) -> None:
    admin, member = await server.member(Role.ADMIN), await server.member(Role.MEMBER)
    connection = await server.connect(admin)
    now = server.tether.clock().replace(microsecond=0)
    [no_role] = await reasons(await server.member(Role.VIEWER), "github.create_issue")
    assert (no_role["code"], no_role["remedy"]) == ("ROLE_TOO_SMALL", "CONTACT_ADMIN")
    assert no_role["message"] == "It takes the role MEMBER to run this; you act as VIEWER."

    later, soon = now + timedelta(hours=1), now + timedelta(days=2)
    cases: list[tuple[Any, dict[str, Any], dict[str, Any], tuple[str, str, datetime | None, bool]]] = [
        (alter, {"status": "INACTIVE"}, {"status": "ACTIVE"}, ("STATUS", "CONTACT_ADMIN", None, True)),
        (
            alter,
            {"status": "ERROR", "status_reason_remedy": "FIX_SETTINGS"},
            {"status": "ACTIVE", "status_reason_remedy": None},
            ("STATUS", "FIX_SETTINGS", None, True),
        ),
        (
            alter,
            {"health_status": "UNHEALTHY"},
            {"health_status": "HEALTHY"},
            ("UNHEALTHY", "WAIT", None, False),
        ),
        (
            alter,
            {"health_status": "DEGRADED"},
            {"health_status": "HEALTHY"},
            ("DEGRADED", "WAIT", None, False),
        ),
        (
            alter_credential,
            {"scopes": ["gist"]},
            {"scopes": ["repo"]},
            ("SCOPES_MISSING", "GRANT_SCOPES", None, True),
        ),
        (
            alter_credential,
            {"expires_at": soon},
            {"expires_at": None},
            ("CREDENTIAL_EXPIRING", "RECONNECT", soon, False),
        ),
        (
            alter_credential,
            {"expires_at": now - timedelta(days=1)},
            {"expires_at": None},
            ("CREDENTIAL_EXPIRED", "RECONNECT", None, True),
        ),
        (
            alter_health,
            {"rate_limit_blocked_until": later},
            {"rate_limit_blocked_until": None},
            ("QUOTA_USED_UP", "WAIT", later, True),
        ),
        (
            alter_health,
            {"rate_limit_remaining": 0, "rate_limit_reset_at": later},
            {"rate_limit_remaining": 10},
            ("QUOTA_USED_UP", "WAIT", later, True),
        ),
    ]
    for table, values, undone, expected in cases:
        await table(server, connection, **values)
        [reason] = await reasons(member, "github.create_issue")
        until = None if expected[2] is None else expected[2].isoformat()
        assert (reason["code"], reason["remedy"], reason["until"], reason["blocking"]) == (
            expected[0],
            expected[1],
            until,
            expected[3],
        )
        assert reason["message"].endswith(".")
        await table(server, connection, **undone)
    assert await reasons(member, "github.create_issue") == []


async def test_what_does_not_hold_a_run_back_is_no_quota_that_is_used_up(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    connection, now = await server.connect(admin), server.tether.clock()
    unknown = {"rate_limit_blocked_until": None, "rate_limit_remaining": None, "rate_limit_reset_at": None}
    no_more_than_said = {"rate_limit_remaining": 0, "rate_limit_reset_at": now + timedelta(hours=1)}
    for limit in (
        {"rate_limit_blocked_until": now + timedelta(days=300)},  # which nobody believes
        {"rate_limit_blocked_until": now - timedelta(minutes=1), **no_more_than_said},
    ):
        await alter_health(server, connection, **{**unknown, **limit})
        assert await reasons(admin, "github.create_issue") == []


async def test_scopes_that_the_service_does_not_tell_stand_in_nobodys_way(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    connection = await server.connect(admin)
    await alter_credential(server, connection, scopes=None)
    assert await reasons(admin, "github.create_issue") == []


async def test_a_service_that_is_down_stands_in_the_way_of_all_that_it_does(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    await server.connect(admin)
    now = server.tether.clock()
    incident = {
        "id": new_id(),
        "service": "github",
        "host": "api.github.example",
        "code": "github_unreachable",
        "message": "GitHub doesn't answer.",
        "started_at": now,
        "next_probe_at": now + timedelta(minutes=1),
    }
    await server.alter(insert(service_incidents).values(incident))
    await server.tether.board.refresh()
    found = (await available(admin))["github.read_file"]
    assert [reason["code"] for reason in found["reasons"]] == ["SERVICE_DOWN"]
    assert [reason["code"] for reason in found["connections"][0]["reasons"]] == ["SERVICE_DOWN"]
    assert found["reasons"][0]["message"].endswith("GitHub doesn't answer.")


async def test_for_a_repository_only_what_reaches_it_is_usable(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    repositories = [{"id": 1_000, "name": "shop"}]
    reaching = await server.connect(
        admin, name="Reaches", token=await server.credential("github", repositories=repositories)
    )
    await server.connect(admin, name="Doesn't")
    await server.connect(admin, name="Chat", service="slack")
    await admin.mutate("syncRepositories", "added", connectionId=reaching["id"])
    query = 'query { organization(by: {slug: "acme"}) { repositories { nodes { id } } } }'
    [repository] = (await admin.data(query))["organization"]["repositories"]["nodes"]

    found = await available(admin, repositoryId=repository["id"])

    told = {
        each["connection"]["name"]: [reason["code"] for reason in each["reasons"]]
        for each in found["github.create_issue"]["connections"]
    }
    assert told == {"Reaches": [], "Doesn't": ["REPOSITORY_UNREACHABLE"]}
    assert found["github.list_repositories"]["usableCount"] == 2
    assert found["slack.post_message"]["usable"]
    other = await server.client(await server.token("globex", "eve@globex.example")).data(
        COMMANDS.replace("acme", "globex"), repositoryId=repository["id"]
    )
    assert other["organization"]["commands"]
    foreign = repository["id"]
    for id_ in ("repo_00000000-0000-4000-8000-000000000000", "nothing", f"{foreign[:-1]}x"):
        unreached = (await available(admin, repositoryId=id_))["github.create_issue"]
        assert (unreached["connectionCount"], unreached["usableCount"]) == (2, 0)


async def test_the_usable_ones_come_first_and_no_more_than_were_asked_for(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    connections = [await server.connect(admin, name=f"C{number}") for number in range(6)]
    for each in connections[:3]:
        await alter(server, each, status="INACTIVE")
    await alter(server, connections[3], health_status="DEGRADED")
    issue = (await available(admin, first=4))["github.create_issue"]
    assert (issue["connectionCount"], issue["usableCount"]) == (6, 3)
    assert [each["connection"]["name"] for each in issue["connections"][:3]] == ["C5", "C4", "C3"]
    assert [each["usable"] for each in issue["connections"]] == [True, True, True, False]
    assert (await available(admin, first=0))["github.create_issue"]["connections"] == []
    assert await admin.error(COMMANDS, first=51) == ("BAD_USER_INPUT", "first: Between 0 and 50; this is 51.")


async def test_commands_stand_wherever_an_organization_does(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    connection = await server.connect(admin)
    query = """query ($id: ID!, $ids: [ID!]!) {
      viewer { memberships { nodes { organization { slug commands { command { id } usable } } } } }
      node(id: $id) { ... on ServiceConnection { organization { commands(eventType: "issues") { command { id } } } } }
      nodes(ids: $ids) { ... on Organization { again: commands { connections(first: 1) { connection {
        organization { commands(eventType: "issues") { usableCount } } } } } } }
    }"""
    data = await admin.data(query, id=connection["id"], ids=[await server.organization_id(), "nothing"])
    [membership] = data["viewer"]["memberships"]["nodes"]
    assert [each["usable"] for each in membership["organization"]["commands"][:3]] == [True, True, True]
    assert data["node"]["organization"]["commands"][0] == {"command": {"id": "github.comment"}}
    inner = data["nodes"][0]["again"][0]["connections"][0]["connection"]["organization"]["commands"]
    assert inner[0] == {"usableCount": 1}
    assert data["nodes"][1] is None


async def test_a_refused_field_below_a_connection_is_told_at_its_place(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    await server.connect(admin)
    query = """{ organization(by: {slug: "acme"}) { commands(eventType: "issues") { connections(first: 1) {
      connection { organization { auditLog { totalCount } } } } } } }"""
    answer = await admin.execute(query)
    [error] = answer.errors
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["path"] == [
        *("organization", "commands", 0, "connections", 0, "connection", "organization", "auditLog")
    ]
    assert answer.body["data"]["organization"]["commands"][0]["connections"][0]["connection"]["organization"] == {
        "auditLog": None
    }
