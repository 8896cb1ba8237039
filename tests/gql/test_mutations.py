"""What each mutation does when it succeeds: the whole payload, and what is stored after it."""

import asyncio
from typing import Any

import pytest

from domain.entities.user import Role
from domain.secret import Secret, fingerprint
from tests.gql.client import Client
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

CONNECTION = """
id name status statusReason { code message remedy } statusChangedAt availableStatuses
organization { slug viewerRole } service { id name authorizationMethods }
externalAccount { id name url avatarUrl }
health { status message checkedAt nextCheckAt consecutiveFailures probes { name outcome code } checks { totalCount } }
credential { id kind fingerprint scopes expiresAt refreshExpiresAt generation }
grantedScopes requiredScopes missingScopes rateLimit { limit remaining blockedUntil }
labels settings version createdBy { email } createdAt updatedAt
events { totalCount nodes { type } }
"""
PROBES = [
    "credential_opens",
    "service_reachable",
    "authenticates",
    "same_account",
    "scopes_suffice",
    "quota_left",
    "not_about_to_expire",
]
CREATED = ["STATUS_CHANGED", "HEALTH_CHANGED", "HEALTH_CHECKED", "CREATED"]


async def test_create_connection_answers_with_all_that_the_service_said(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential("github", expires_at="2126-01-01T00:00:00+00:00")

    created = await server.connect(
        client,
        selection=CONNECTION,
        token=token,
        name=" Code ",
        labels={"team": "platform"},
        settings={"requiredScopes": ["repo", "workflow"]},
    )

    assert created.pop("id").startswith("conn_")
    assert created.pop("createdAt") <= created["health"].pop("checkedAt") <= created.pop("statusChangedAt")
    assert created["health"].pop("nextCheckAt") > created.pop("updatedAt")
    assert created["credential"].pop("id").startswith("cred_")
    assert created.pop("rateLimit")["limit"] == 5000
    assert created["externalAccount"].pop("avatarUrl").startswith("http")
    assert created == {
        "name": "Code",
        "status": "ACTIVE",
        "statusReason": {"code": "CHECK_PASSED", "message": "The health check passed.", "remedy": "NONE"},
        "availableStatuses": ["INACTIVE"],
        "organization": {"slug": "acme", "viewerRole": "ADMIN"},
        "service": {"id": "github", "name": "GitHub", "authorizationMethods": ["GITHUB_APP", "TOKEN"]},
        "externalAccount": {"id": "583231", "name": "acme-bot", "url": f"{server.sandbox.github_url}/acme-bot"},
        "health": {
            "status": "DEGRADED",
            "message": "The credential lacks workflow. Grant it at GitHub, or change the setting requiredScopes.",
            "consecutiveFailures": 0,
            "probes": [
                {"name": name, "outcome": outcome, "code": code}
                for name, outcome, code in zip(
                    PROBES,
                    ["PASSED"] * 4 + ["WARNED"] + ["PASSED"] * 2,
                    [
                        "credential_opened",
                        "reachable",
                        "authenticated",
                        "first_account",
                        "scopes_missing",
                        "quota_left",
                        "far_from_end",
                    ],
                    strict=True,
                )
            ],
            "checks": {"totalCount": 1},
        },
        "credential": {
            "kind": "TOKEN",
            "fingerprint": fingerprint(Secret(token)),
            "scopes": ["repo", "read:org", "user"],
            "expiresAt": "2126-01-01T00:00:00+00:00",
            "refreshExpiresAt": None,
            "generation": 1,
        },
        "grantedScopes": ["repo", "read:org", "user"],
        "requiredScopes": ["repo", "workflow"],
        "missingScopes": ["workflow"],
        "labels": {"team": "platform"},
        "settings": {"requiredScopes": ["repo", "workflow"]},
        "version": 1,
        "createdBy": {"email": "admin@acme.example"},
        "events": {"totalCount": 4, "nodes": [{"type": type_} for type_ in CREATED]},
    }


async def test_update_connection_changes_what_is_given_and_nothing_else(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    created = await server.connect(client, name="Code", labels={"team": "platform"})
    edited = "connection { name labels settings requiredScopes version events(first: 1) { nodes { type data } } }"

    renamed = await client.mutate("updateConnection", edited, connectionId=created["id"], name="Source")
    assert renamed == {
        "connection": {
            "name": "Source",
            "labels": {"team": "platform"},
            "settings": {},
            "requiredScopes": ["repo"],
            "version": 2,
            "events": {"nodes": [{"type": "UPDATED", "data": {"changed": ["name"]}}]},
        },
        "userErrors": [],
    }
    cleared = await client.mutate(
        "updateConnection",
        edited,
        connectionId=created["id"],
        labels=None,
        settings={"requiredScopes": [], "expiryWarningDays": 3},
        expectedVersion=2,
    )
    assert cleared["connection"] == {
        "name": "Source",
        "labels": {},
        "settings": {"requiredScopes": [], "expiryWarningDays": 3},
        "requiredScopes": [],
        "version": 3,
        "events": {"nodes": [{"type": "UPDATED", "data": {"changed": ["labels", "settings"]}}]},
    }
    unchanged = await client.mutate("updateConnection", "connection { version }", connectionId=created["id"])
    assert unchanged["connection"] == {"version": 3}


async def test_update_connection_status_pauses_and_resumes_and_a_dry_run_does_neither(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    created = await server.connect(client)
    changed = "connection { status statusReason { code message remedy } health { nextCheckAt } version }"

    tried = await client.mutate(
        "updateConnectionStatus",
        "connection { status version }",
        connectionId=created["id"],
        status="INACTIVE",
        dryRun=True,
    )
    assert tried == {"connection": {"status": "ACTIVE", "version": 1}, "userErrors": []}
    paused = await client.mutate("updateConnectionStatus", changed, connectionId=created["id"], status="INACTIVE")
    assert paused["connection"] == {
        "status": "INACTIVE",
        "statusReason": {"code": "PAUSED", "message": "Paused by a member.", "remedy": "NONE"},
        "health": {"nextCheckAt": None},
        "version": 2,
    }
    resumed = await client.mutate(
        "updateConnectionStatus", changed, connectionId=created["id"], status="ACTIVE", reason="Back"
    )
    assert resumed["connection"]["health"].pop("nextCheckAt") is not None
    assert resumed["connection"] == {
        "status": "ACTIVE",
        "statusReason": {"code": "RESUMED", "message": "Back", "remedy": "NONE"},
        "health": {},
        "version": 3,
    }


async def test_delete_connection_forgets_the_secret_frees_the_name_and_keeps_the_history(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    created = await server.connect(client, name="Code")
    deleted = "deletedConnectionId organization { slug connections { totalCount } } revocation"

    tried = await client.mutate("deleteConnection", deleted, connectionId=created["id"], dryRun=True)
    assert tried == {
        "deletedConnectionId": None,
        "organization": {"slug": "acme", "connections": {"totalCount": 1}},
        "revocation": "NOT_REVOCABLE",
        "userErrors": [],
    }
    done = await client.mutate("deleteConnection", deleted, connectionId=created["id"], expectedVersion=1)
    assert done == {
        "deletedConnectionId": created["id"],
        "organization": {"slug": "acme", "connections": {"totalCount": 0}},
        "revocation": "NOT_REVOCABLE",
        "userErrors": [],
    }
    assert await server.rows("service_credentials") == []
    assert len(await server.rows("health_checks")) == 1
    assert (await client.data("query ($id: ID!) { node(id: $id) { id } }", id=created["id"])) == {"node": None}
    history = await client.data(
        'query ($ids: [ID!]) { organization(by: {slug: "acme"}) { events(filter: {connectionIds: $ids}) '
        "{ nodes { type data connection { id name credential { id } } } } } }",
        ids=[created["id"]],
    )
    events = history["organization"]["events"]["nodes"]
    assert [event["type"] for event in events] == ["DELETED", *CREATED]
    assert events[0] == {
        "type": "DELETED",
        "data": {"name": "Code", "service": "github"},
        "connection": {"id": created["id"], "name": "Code", "credential": None},
    }
    assert (await server.connect(client, name="Code", selection="name")) == {"name": "Code"}


async def test_check_connection_health_tells_what_was_found(server: TetherServer) -> None:
    client = await server.member(Role.MEMBER)
    token = await server.credential()
    created = await server.connect(await server.member(Role.ADMIN), token=token)
    await server.sandbox.put_token(token, service="github", behaviour="server_error", status=500)

    checked = await client.mutate(
        "checkConnectionHealth",
        "connection { status health { status consecutiveFailures } } "
        "healthCheck { id status message trigger probes { name outcome code message remedy evidence } }",
        connectionId=created["id"],
    )

    found = checked["healthCheck"]
    assert found.pop("id").startswith("chk_")
    assert [probe["outcome"] for probe in found["probes"]] == ["PASSED", "FAILED"] + ["SKIPPED"] * 5
    assert found.pop("probes")[1] == {
        "name": "service_reachable",
        "outcome": "FAILED",
        "code": "github_server_error",
        "message": "GitHub answers with an error of its own (HTTP 500).",
        "remedy": "WAIT",
        "evidence": {"status": 500},
    }
    assert checked == {
        "connection": {"status": "ACTIVE", "health": {"status": "UNHEALTHY", "consecutiveFailures": 1}},
        "healthCheck": {
            "status": "UNHEALTHY",
            "message": "GitHub answers with an error of its own (HTTP 500).",
            "trigger": "MANUAL",
        },
        "userErrors": [],
    }


@pytest.mark.parametrize(
    ("service", "behaviour", "checks", "status"),
    [
        ("github", "revoked", 1, "EXPIRED"),
        ("slack", "revoked", 1, "REVOKED"),
        ("github", "server_error", 3, "ERROR"),
    ],
)
async def test_rotate_credentials_brings_a_connection_back(
    server: TetherServer, service: Any, behaviour: str, checks: int, status: str
) -> None:
    client = await server.member(Role.ADMIN)
    token = await server.credential(service)
    created = await server.connect(client, service=service, token=token)
    await server.sandbox.put_token(token, service=service, behaviour=behaviour)
    for _ in range(checks):
        await client.mutate("checkConnectionHealth", "connection { id }", connectionId=created["id"])
    found = await client.data(
        "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { status version } } }", id=created["id"]
    )
    assert found["node"]["status"] == status

    new_token = await server.credential(service)
    rotated = await client.mutate(
        "rotateCredentials",
        "connection { status statusReason { code } health { status consecutiveFailures } "
        "credential { fingerprint generation } events(first: 4) { nodes { type data } } }",
        connectionId=created["id"],
        credential={"token": {"token": new_token}},
        expectedVersion=found["node"]["version"],
    )

    events = rotated["connection"].pop("events")["nodes"]
    told = {"fingerprint": fingerprint(Secret(new_token)), "generation": 2}
    assert rotated == {
        "connection": {
            "status": "ACTIVE",
            "statusReason": {"code": "RECONNECTED"},
            "health": {"status": "HEALTHY", "consecutiveFailures": 0},
            "credential": told,
        },
        "userErrors": [],
    }
    assert [event["type"] for event in events] == [
        "STATUS_CHANGED",
        "HEALTH_CHANGED",
        "HEALTH_CHECKED",
        "CREDENTIALS_ROTATED",
    ]
    assert events[-1]["data"] == told


async def test_create_organization_makes_its_creator_the_owner(server: TetherServer) -> None:
    client = await server.member(Role.OWNER)
    selection = (
        "organization { id slug name viewerRole eventCursor connections { totalCount } "
        "members { nodes { role user { email } } } }"
    )

    created = await client.mutate("createOrganization", selection, slug="globex", name="Globex Corporation")

    organization = created["organization"]
    assert organization.pop("id") == await server.organization_id("globex")
    assert organization.pop("eventCursor").endswith("~1~0")
    assert created == {
        "organization": {
            "slug": "globex",
            "name": "Globex Corporation",
            "viewerRole": "OWNER",
            "connections": {"totalCount": 0},
            "members": {"nodes": [{"role": "OWNER", "user": {"email": "owner@acme.example"}}]},
        },
        "userErrors": [],
    }


async def test_update_organization_changes_what_is_given(server: TetherServer) -> None:
    client = await server.member(Role.OWNER)
    selection, id_ = "organization { name checkIntervalSeconds version }", await server.organization_id()
    found = await client.data(
        "query ($id: ID!) { node(id: $id) { ... on Organization { name checkIntervalSeconds version } } }", id=id_
    )
    assert found["node"] == {"name": "acme", "checkIntervalSeconds": 300, "version": 1}

    for given, changed in (
        ({"checkIntervalSeconds": 60, "expectedVersion": 1}, {"checkIntervalSeconds": 60, "version": 2}),
        ({"name": " Acme Inc. "}, {"name": "Acme Inc.", "version": 3}),
        ({"name": "Acme Inc.", "checkIntervalSeconds": 60}, {}),
        ({}, {}),
    ):
        found["node"] |= changed
        updated = await client.mutate("updateOrganization", selection, organizationId=id_, **given)
        assert updated == {"organization": found["node"], "userErrors": []}

    stale = await client.user_error("updateOrganization", organizationId=id_, name="Other", expectedVersion=1)
    assert (stale["code"], stale["field"]) == ("VERSION_CONFLICT", ["input", "expectedVersion"])
    for seconds in (59, 86_401, 0, -60, None):
        error = await client.user_error("updateOrganization", organizationId=id_, checkIntervalSeconds=seconds)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "checkIntervalSeconds"])
        assert error["message"] == "Connections can be checked every 60 to 86,400 seconds, a minute to a day."
    error = await client.user_error("updateOrganization", organizationId=id_, name=None)
    assert error["field"] == ["input", "name"]
    for unknown in ("x", "org_01a2075a-50af-7430-8051-9f31049c3439"):
        error = await client.user_error("updateOrganization", organizationId=unknown, name="Other")
        assert error["code"] == "NOT_FOUND"


async def test_a_creation_that_is_sent_again_with_its_idempotency_key_gives_what_it_created(
    server: TetherServer,
) -> None:
    client = await server.member(Role.OWNER)
    token = await server.credential()
    sent: dict[str, Any] = {"token": token, "name": "Code", "labels": {"a": "1"}, "idempotencyKey": "one"}
    first, again, *at_once = [
        await server.connect(client, **sent),
        await server.connect(client, **sent),
        *await asyncio.gather(
            *(server.connect(client, **(sent | {"name": "Two", "idempotencyKey": "two"})) for _ in "ab")
        ),
    ]

    assert first == again
    assert at_once[0] == at_once[1] != first
    assert len(await server.rows("service_connections")) == 2
    for changed in ({"name": "Other"}, {"labels": {"a": "2"}}, {"token": await server.credential()}):
        assert await _refused_again(server, client, **(sent | changed)) == {
            "__typename": "InvalidInput",
            "code": "IDEMPOTENCY_KEY_REUSED",
            "field": ["input", "idempotencyKey"],
            "message": "This idempotency key was used before, with another input. Take a new key for a new call.",
        }

    organization = {"slug": "globex", "name": "Globex", "idempotencyKey": "one"}
    answers = await asyncio.gather(
        *(client.mutate("createOrganization", "organization { id }", **organization) for _ in "abc")
    )
    assert answers[0]["userErrors"] == []
    assert answers[0] == answers[1] == answers[2]


async def test_a_key_is_its_persons_and_its_mutations_alone(server: TetherServer) -> None:
    """Everything that creates takes the same key here, of two people, in turns."""
    ada, bob = await server.member(Role.OWNER), server.client(await server.token("acme", "bob@acme.example"))
    organization_id, token = await server.organization_id(), await server.credential()
    key: dict[str, Any] = {"organizationId": organization_id, "name": "bot", "role": "VIEWER", "idempotencyKey": "one"}
    invited = {"organizationId": organization_id, "role": "VIEWER", "idempotencyKey": "one"}

    async def created(client: Client, name: str) -> list[Any]:
        organization = {"slug": name, "name": name, "idempotencyKey": "one"}
        made = [
            await server.connect(client, token=token, selection="id", idempotencyKey="one"),
            await client.mutate("createOrganization", "organization { id }", **organization),
            await client.mutate("addMember", "invitation { id }", **invited, email=f"{name}@example.com"),
            await client.mutate("createApiKey", "apiKey { id }", **key),
        ]
        assert all(each["userErrors"] == [] for each in made[1:])
        return made

    first, second = await created(ada, "one"), await created(bob, "two")
    assert not any(mine == theirs for mine, theirs in zip(first, second, strict=True))
    assert await created(ada, "one") == first
    assert await created(bob, "two") == second
    assert len(await server.rows("idempotency_keys")) == 8


async def _refused_again(server: TetherServer, client: Client, token: str, **members: Any) -> dict[str, Any]:
    return await client.user_error(
        "createConnection",
        organizationId=await server.organization_id(),
        service="github",
        credential={"token": {"token": token}},
        **members,
    )
