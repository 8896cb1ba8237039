"""syncRepositories and updateRepository, against the sandbox's GitHub: paging, etags, quota, roles and versions."""

from typing import Any

import pytest

from domain.entities.user import Role
from tests.gql.client import Client
from tests.gql.server import TetherServer, uuid_of

pytestmark = pytest.mark.anyio

COUNTS = "added updated removed unchanged complete"
REPOSITORIES = """
query ($id: ID!) {
  node(id: $id) {
    ... on ServiceConnection {
      version
      rateLimit { limit remaining }
      repositories(first: 100) { totalCount nodes { id externalId fullName url private archived selected } }
      events(first: 1) { nodes { type actor { kind name } data } }
    }
  }
}
"""


def counts(**given: Any) -> dict[str, Any]:
    return {"added": 0, "updated": 0, "removed": 0, "unchanged": 0, "complete": True, "userErrors": [], **given}


def repositories(count: int, **changed: str) -> list[dict[str, Any]]:
    """As the sandbox takes them; of those that are `changed`, by their number, the name."""
    return [{"id": 1_000 + each, "name": changed.get(f"r{each}", f"r{each}")} for each in range(count)]


async def stored(client: Client, connection_id: str) -> Any:
    return (await client.data(REPOSITORIES, id=connection_id))["node"]


async def names(client: Client, connection_id: str) -> list[str]:
    return [each["fullName"] for each in (await stored(client, connection_id))["repositories"]["nodes"]]


async def test_a_sync_tells_what_it_did_and_the_connection_after_it(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(2))
    connection = await server.connect(client, token=token)

    payload = await client.mutate(
        "syncRepositories",
        COUNTS + " connection { repositories { totalCount } rateLimit { limit remaining } }",
        connectionId=connection["id"],
    )

    assert payload.pop("connection") == {
        "repositories": {"totalCount": 2},
        "rateLimit": {"limit": 5000, "remaining": 4998},
    }
    assert payload == counts(added=2)
    known = await stored(client, connection["id"])
    assert known["version"] == connection["version"]
    assert [each.pop("id").partition("_")[0] for each in known["repositories"]["nodes"]] == ["repo", "repo"]
    assert known["repositories"]["nodes"][0] == {
        "externalId": "1000",
        "fullName": "acme-bot/r0",
        "url": f"{server.sandbox.github_url}/acme-bot/r0",
        "private": False,
        "archived": False,
        "selected": False,
    }
    assert known["events"]["nodes"] == [
        {
            "type": "REPOSITORIES_SYNCED",
            "actor": {"kind": "API_KEY", "name": "Issued by the operator"},
            "data": {"added": 2, "updated": 0, "removed": 0, "unchanged": 0},
        }
    ]


async def test_several_pages_are_followed_and_what_is_as_it_was_costs_no_quota(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(250))
    id_ = (await server.connect(client, token=token))["id"]

    assert await client.mutate("syncRepositories", COUNTS, connectionId=id_) == counts(added=250)
    before = (await stored(client, id_))["rateLimit"]["remaining"]
    assert await client.mutate("syncRepositories", COUNTS, connectionId=id_) == counts(unchanged=250)

    assert (await stored(client, id_))["rateLimit"]["remaining"] == before
    assert (await stored(client, id_))["repositories"]["totalCount"] == 250
    calls = [call.path for call in await server.sandbox.calls(token)]
    assert calls == ["/user"] + ["/user/repos"] * 6


async def test_what_goes_with_a_connection_is_told_before_and_when_it_is_deleted(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(3))
    connection = await server.connect(client, token=token)
    await client.mutate("syncRepositories", COUNTS, connectionId=connection["id"])
    first = (await stored(client, connection["id"]))["repositories"]["nodes"][0]
    await client.mutate("updateRepository", "repository { id }", repositoryId=first["id"], selected=True)

    file = {"repository": first["fullName"], "path": "README.md"}
    run = {"commandId": "github.read_file", "connectionId": connection["id"], "arguments": file}
    await client.mutate("runCommand", "run { status }", **run)
    impact = {
        "repositories": 3,
        "selectedRepositories": 1,
        "hasAlternative": False,
        "commands": len(list(server.tether.catalogue.get("github").commands or ())),
        "commandRuns": 1,
        "webhooksReceived": 0,
    }
    query = (
        "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { impact { repositories kind: __typename } } } }"
    )
    assert (await client.data(query, id=connection["id"]))["node"] == {
        "impact": {"repositories": 3, "kind": "ConnectionImpact"}
    }
    counted = f"impact {{ {' '.join(impact)} }}"
    for dry_run in (True, False):
        told = await client.mutate(
            "updateConnectionStatus", counted, connectionId=connection["id"], status="INACTIVE", dryRun=dry_run
        )
        assert told == {"impact": impact, "userErrors": []}
    selection = f"{counted} revocation"
    for dry_run in (True, False):
        told = await client.mutate("deleteConnection", selection, connectionId=connection["id"], dryRun=dry_run)
        assert told == {"impact": impact, "revocation": "NOT_REVOCABLE", "userErrors": []}

    nothing = await client.mutate("deleteConnection", counted, connectionId=connection["id"])
    assert nothing["impact"] is None
    assert nothing["userErrors"]


async def test_another_active_connection_to_the_service_can_stand_in(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    selection = "id impact { hasAlternative commands }"
    alone = await server.connect(client, selection=selection)
    assert alone["impact"]["hasAlternative"] is False
    assert alone["impact"]["commands"] > 0
    slack = await server.connect(client, service="slack", selection=selection)
    assert slack["impact"]["hasAlternative"] is False

    other = await server.connect(client, selection=selection)
    assert other["impact"] == {"hasAlternative": True, "commands": 0}
    told = await client.mutate(
        "updateConnectionStatus", "impact { commands }", connectionId=other["id"], status="INACTIVE"
    )
    assert told["impact"] == {"commands": 0}
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on ServiceConnection {{ {selection} }} }} }}"
    assert (await client.data(query, id=alone["id"]))["node"] == alone


async def test_renamed_and_gone_ones_are_followed_and_the_selection_stays(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(4))
    id_ = (await server.connect(client, token=token))["id"]
    await client.mutate("syncRepositories", COUNTS, connectionId=id_)
    chosen = (await stored(client, id_))["repositories"]["nodes"][1]["id"]
    await client.mutate("updateRepository", "repository { id }", repositoryId=chosen, selected=True)

    await server.sandbox.put_token(token, service="github", repositories=repositories(3, r1="zebra"))

    assert await client.mutate("syncRepositories", COUNTS, connectionId=id_) == counts(
        updated=1, removed=1, unchanged=2
    )
    found = (await stored(client, id_))["repositories"]["nodes"]
    assert [(each["fullName"], each["selected"]) for each in found] == [
        ("acme-bot/r0", False),
        ("acme-bot/r2", False),
        ("acme-bot/zebra", True),
    ]
    assert found[2]["id"] == chosen


async def test_a_service_that_takes_no_calls_stops_it_and_the_runner_goes_on_later(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(3))
    id_ = (await server.connect(client, token=token))["id"]
    await server.sandbox.put_token(
        token, service="github", repositories=repositories(3), behaviour="secondary_limited", retry_after_seconds=120
    )

    payload = await client.mutate("syncRepositories", COUNTS + " connection { id }", connectionId=id_)

    [error] = payload.pop("userErrors")
    assert payload == {
        "added": 0, "updated": 0, "removed": 0, "unchanged": 0, "complete": False, "connection": {"id": id_},
    }  # fmt: skip
    message = error.pop("message")
    assert message.startswith("GitHub limits how often we may call.")
    assert error == {
        "__typename": "ServiceFailure",
        "code": "SERVICE_RATE_LIMITED",
        "field": None,
        "service": "github",
        "remedy": "WAIT",
        "retryAfterSeconds": 120,
    }
    [task] = [row for row in await server.rows("tasks") if row["kind"] == "SYNC_REPOSITORIES"]
    assert task["subject_id"] == uuid_of(id_)
    calls = await server.sandbox.calls(token)
    [again] = (await client.mutate("syncRepositories", COUNTS, connectionId=id_))["userErrors"]
    assert again["code"] == "SERVICE_RATE_LIMITED"
    assert await server.sandbox.calls(token) == calls


async def test_a_refused_credential_is_told(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github")
    id_ = (await server.connect(client, token=token))["id"]
    await server.sandbox.put_token(token, service="github", behaviour="revoked")

    [error] = (await client.mutate("syncRepositories", COUNTS, connectionId=id_))["userErrors"]

    assert (error["code"], error["field"], error["remedy"]) == ("CREDENTIAL_REFUSED", None, "RECONNECT")


async def test_slack_has_no_repositories(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    id_ = (await server.connect(client, service="slack"))["id"]

    assert await client.user_error("syncRepositories", connectionId=id_) == {
        "__typename": "InvalidInput",
        "message": "Slack has no repositories.",
        "code": "INVALID_INPUT",
        "field": ["input", "connectionId"],
    }


async def test_a_choice_is_told_as_an_update_of_the_connection(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", repositories=repositories(1))
    id_ = (await server.connect(client, token=token))["id"]
    await client.mutate("syncRepositories", COUNTS, connectionId=id_)
    [repository] = (await stored(client, id_))["repositories"]["nodes"]
    selected = "repository { id fullName selected connection { version } }"

    for _ in range(2):  # the second time it is so already
        payload = await client.mutate("updateRepository", selected, repositoryId=repository["id"], selected=True)
        assert payload == {
            "repository": {
                "id": repository["id"],
                "fullName": "acme-bot/r0",
                "selected": True,
                "connection": {"version": 2},
            },
            "userErrors": [],
        }
        [event] = (await stored(client, id_))["events"]["nodes"]
        assert event["type"] == "UPDATED"
        assert event["data"] == {"changed": ["repositories"], "repository": "acme-bot/r0", "selected": True}

    stale = {"repositoryId": repository["id"], "selected": False, "expectedVersion": 1}
    conflict = await client.user_error("updateRepository", **stale)
    assert (conflict["code"], conflict["currentVersion"]) == ("VERSION_CONFLICT", 2)
    payload = await client.mutate("updateRepository", selected, **{**stale, "expectedVersion": 2})
    assert payload["repository"]["selected"] is False


async def test_each_takes_an_admin_and_what_is_not_theirs_looks_missing(server: TetherServer) -> None:
    admin = await server.member(Role.ADMIN)
    id_ = (await server.connect(admin))["id"]
    await admin.mutate("syncRepositories", COUNTS, connectionId=id_)
    repository = (await stored(admin, id_))["repositories"]["nodes"][0]["id"]
    before = await server.rows("connection_events")
    mutations = {
        "syncRepositories": ("connectionId", id_, {}),
        "updateRepository": ("repositoryId", repository, {"selected": True}),
    }

    for field, (key, value, members) in mutations.items():
        type_name = field[0].upper() + field[1:] + "Input"
        query = f"mutation ($input: {type_name}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}"
        member = await server.member(Role.MEMBER)
        assert await member.error(query, input={key: value, **members}) == (
            "FORBIDDEN",
            "This takes the role ADMIN in the organization; you act in it as MEMBER.",
        )
        stranger = await server.member(Role.OWNER, "globex")
        kind = key.removesuffix("Id")
        for missing in (value, "x", value[:-1] + ("0" if value[-1] != "0" else "1")):
            client = stranger if missing == value else admin
            assert await client.user_error(field, **{key: missing, **members}) == {
                "__typename": "NotFound",
                "message": f"There is no {kind} with this id.",
                "code": "NOT_FOUND",
                "field": ["input", key],
            }
    assert await server.rows("connection_events") == before
