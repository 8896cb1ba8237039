"""runCommand over HTTP: the run as a payload, a node and a list, its event at once, and what each role sees of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from domain.entities.user import Role
from gql.background_work import BackgroundWork
from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

RUN = """
run {
  id commandId status attempts result url durationMs arguments
  command { name mutating repeatable leastRole service { id status } }
  connection { id } organization { slug } actor { kind name }
  error { code message remedy retryAfterSeconds argument }
}
"""


LISTS = """
query ($ids: [ID!]!, $run: ID!, $by: OrganizationBy!) {
  nodes(ids: $ids) { ... on CommandRun { id status } ... on ServiceConnection { commandRuns { nodes { id } } } }
  node(id: $run) { id }
  organization(by: $by) {
    all: commandRuns(filter: {statuses: [SUCCEEDED], commandIds: ["github.create_issue"]}) { totalCount nodes { id } }
    none: commandRuns(filter: {statuses: [UNKNOWN]}) { nodes { id } }
  }
}
"""
EVENTS = """
subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { type data } }
"""
CURSOR = "query ($id: ID!) { node(id: $id) { ... on Organization { eventCursor } } }"


@dataclass(frozen=True, slots=True)
class Place:
    """A connection with a repository of its own at the sandbox's GitHub."""

    server: TetherServer
    client: Client
    connection_id: str
    token: str
    login: str

    async def open_issue(self, client: Client | None = None, **members: Any) -> Any:
        arguments = {"repository": f"{self.login}/api", "title": "Uploads fail", **members.pop("arguments", {})}
        return await (client or self.client).mutate(
            "runCommand",
            RUN,
            commandId="github.create_issue",
            connectionId=self.connection_id,
            arguments=arguments,
            **members,
        )

    async def behave(self, behaviour: str, **settings: Any) -> None:
        await self.server.sandbox.put_token(
            self.token, service="github", behaviour=behaviour, **_account(self.login), **settings
        )


def _account(login: str) -> dict[str, Any]:
    return {
        "account": {"id": int(login[-7:], 16), "login": login, "name": "Some Team"},
        "repositories": [{"id": 7001, "name": "api"}],
    }


async def a_place(server: TetherServer, role: Role = Role.MEMBER) -> Place:
    login = f"team-{uuid.uuid4().hex[:12]}"
    token = await server.credential("github", **_account(login))
    connection = await server.connect(await server.member(Role.ADMIN), token=token, name=login)
    return Place(server, await server.member(role), connection["id"], token, login)


async def test_a_run_is_answered_found_by_its_id_listed_and_told_at_once(server: TetherServer) -> None:
    place = await a_place(server)
    organization_id = await server.organization_id()
    cursor = (await place.client.data(CURSOR, id=organization_id))["node"]["eventCursor"]
    payload = await place.open_issue(idempotencyKey="one")
    run = payload["run"]
    assert payload["userErrors"] == []
    assert run["id"].startswith("run_")
    assert run == run | {
        "commandId": "github.create_issue",
        "status": "SUCCEEDED",
        "attempts": 1,
        "result": {"number": 2},
        "url": f"{server.sandbox.github_url}/{place.login}/api/issues/2",
        "arguments": {"repository": f"{place.login}/api", "title": "Uploads fail"},
        "command": {
            "name": "Create an issue",
            "mutating": True,
            "repeatable": False,
            "leastRole": "MEMBER",
            "service": {"id": "github", "status": "OPERATIONAL"},
        },
        "connection": {"id": place.connection_id},
        "organization": {"slug": "acme"},
        "error": None,
    }
    assert (await place.open_issue(idempotencyKey="one"))["run"] == run
    lists = await place.client.data(
        LISTS,
        ids=[run["id"], place.connection_id],
        run=run["id"],
        by={"slug": "acme"},
    )
    assert lists == {
        "nodes": [{"id": run["id"], "status": "SUCCEEDED"}, {"commandRuns": {"nodes": [{"id": run["id"]}]}}],
        "node": {"id": run["id"]},
        "organization": {"all": {"totalCount": 1, "nodes": [{"id": run["id"]}]}, "none": {"nodes": []}},
    }
    async with server.subscribe(place.client, EVENTS, id=organization_id, after=cursor) as followed:
        told = (await followed.next())["connectionEvents"]
    assert (told["type"], told["data"]["runId"], told["data"]["status"]) == ("COMMAND_RUN", run["id"], "SUCCEEDED")


async def test_what_the_service_refuses_is_told_by_the_run_and_by_an_error(server: TetherServer) -> None:
    place = await a_place(server)
    payload = await place.open_issue(arguments={"repository": f"{place.login}/nowhere"})
    assert payload["run"]["status"] == "FAILED"
    (error,) = payload["userErrors"]
    assert error["message"] == payload["run"]["error"]["message"]
    await place.behave("done_then_cut")
    payload = await place.open_issue()
    (error,) = payload["userErrors"]
    assert (payload["run"]["status"], error["code"], error["__typename"]) == (
        "UNKNOWN",
        "OUTCOME_UNKNOWN",
        "CommandFailure",
    )
    await place.behave("secondary_limited", retry_after_seconds=300)
    await place.open_issue()
    payload = await place.open_issue()
    (error,) = payload["userErrors"]
    assert payload["run"] is None
    assert (error["code"], error["service"], error["remedy"]) == ("SERVICE_RATE_LIMITED", "github", "WAIT")
    assert 200 < error["retryAfterSeconds"] <= 300


async def test_each_argument_that_is_not_good_is_an_error_at_its_path(server: TetherServer) -> None:
    place = await a_place(server)
    payload = await place.open_issue(arguments={"title": 7, "labels": ["bug", 8], "colour": "red"})
    assert payload["run"] is None
    told = {tuple(error["field"]): error["code"] for error in payload["userErrors"]}
    assert set(told) >= {("input", "arguments", "title"), ("input", "arguments", "colour")}
    assert set(told.values()) == {"INVALID_INPUT"}
    for members, field in (
        ({"commandId": "github.make_coffee"}, ["input", "commandId"]),
        ({"waitSeconds": 26}, ["input", "waitSeconds"]),
        ({"idempotencyKey": ""}, ["input", "idempotencyKey"]),
        ({"connectionId": f"conn_{uuid.uuid4()}"}, ["input", "connectionId"]),
    ):
        given = {"commandId": "github.create_issue", "connectionId": place.connection_id, "arguments": {}}
        error = await place.client.user_error("runCommand", **{**given, **members})
        assert error["field"] == field


async def test_what_was_said_is_for_those_who_might_have_said_it(server: TetherServer) -> None:
    place = await a_place(server)
    run_id = (await place.open_issue())["run"]["id"]
    query = "query ($id: ID!) { node(id: $id) { ... on CommandRun { status arguments result } } }"
    for role in Role:
        client = await server.member(role)
        shown = (await client.data(query, id=run_id))["node"]
        sees = role.covers(Role.MEMBER)
        assert shown["status"] == "SUCCEEDED"
        assert [shown[name] is not None for name in ("arguments", "result")] == [sees, sees]
        answer = await client.execute(
            "mutation ($input: RunCommandInput!) { runCommand(input: $input) { run { id } userErrors { code } } }",
            input={
                "commandId": "github.create_issue",
                "connectionId": place.connection_id,
                "arguments": {"repository": f"{place.login}/api", "title": "Again"},
            },
        )
        if sees:
            assert answer.data["runCommand"]["userErrors"] == []
        else:
            assert answer.error[0] == "FORBIDDEN"
    stranger = await server.member(Role.OWNER, "globex")
    assert (await stranger.data(query, id=run_id))["node"] is None


async def test_a_key_runs_no_more_than_its_own_role_may(server: TetherServer) -> None:
    place = await a_place(server, Role.ADMIN)
    made = await place.client.mutate(
        "createApiKey", "token", organizationId=await server.organization_id(), name="reader", role="VIEWER"
    )
    reader = server.client(made["token"])
    given = {"connectionId": place.connection_id, "arguments": {}}
    listed = await reader.mutate("runCommand", "run { status }", commandId="github.list_repositories", **given)
    assert listed["run"] == {"status": "SUCCEEDED"}
    answer = await reader.execute(
        "mutation ($input: RunCommandInput!) { runCommand(input: $input) { run { id } } }",
        input={"commandId": "github.read_file", **given},
    )
    assert answer.error[0] == "FORBIDDEN"


async def test_what_is_queued_is_run_by_the_background_work(server: TetherServer) -> None:
    place = await a_place(server)
    queued = (await place.open_issue(waitSeconds=0))["run"]
    assert (queued["status"], queued["attempts"]) == ("QUEUED", 0)
    query = "query ($id: ID!) { node(id: $id) { ... on CommandRun { status attempts } } }"

    async def done() -> bool:
        return bool((await place.client.data(query, id=queued["id"]))["node"] == {"status": "SUCCEEDED", "attempts": 1})

    async with BackgroundWork(server.tether).working():
        await eventually(done)


async def test_services_tell_their_commands(shared_server: TetherServer) -> None:
    client = await shared_server.member(Role.VIEWER)
    commands = """
      commands {
        id name description documentationUrl argumentsSchema resultSchema requiredScopes requiredPermissions leastRole
        mutating repeatable longRunning eventTypes target { kind argument } examples service { id }
      }
    """
    connection = await shared_server.connect(await shared_server.member(Role.ADMIN))
    told = await client.data(
        f"query ($id: ID!) {{ services {{ id {commands} }} "
        f"node(id: $id) {{ ... on ServiceConnection {{ service {{ {commands} }} }} }} }}",
        id=connection["id"],
    )
    by_service = {service["id"]: service["commands"] for service in told["services"]}
    github: Sequence[dict[str, Any]] = by_service["github"]
    assert told["node"]["service"]["commands"] == github  # by a document as by objects
    (issue,) = [command for command in github if command["id"] == "github.create_issue"]
    assert issue["argumentsSchema"]["required"] == ["repository", "title"]
    assert issue["target"] == {"kind": "REPOSITORY", "argument": "repository"}
    assert issue["service"] == {"id": "github"}
    assert {command["id"] for command in by_service["slack"]} >= {"slack.post_message", "slack.reply_in_thread"}


async def test_runs_are_measured_by_service_command_and_outcome(server: TetherServer) -> None:
    place = await a_place(server)
    await place.open_issue()
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as http:
        text = (await http.get("/metrics")).text
    assert 'tether_command_runs_total{command="github.create_issue",outcome="SUCCEEDED",service="github"} 1.0' in text
    assert place.login not in text
