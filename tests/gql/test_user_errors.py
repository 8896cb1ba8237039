"""What a caller can mend: each user error with type, code, field, message and all it tells; nothing is stored."""

import asyncio
from typing import Any

import pytest

from domain.entities.user import Role
from tests.gql.client import Client
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

KNOWN_SCOPES = (
    "admin:org, admin:org_hook, admin:repo_hook, delete:packages, delete_repo, gist, notifications, project, "
    "public_repo, read:org, read:packages, read:project, read:repo_hook, read:user, repo, repo:invite, repo:status, "
    "repo_deployment, security_events, user, user:email, user:follow, workflow, write:org, write:packages, "
    "write:repo_hook"
)
INVALID: list[tuple[dict[str, Any], list[str], str]] = [
    (
        {"settings": {"requiredScope": ["repo"]}},
        ["settings", "requiredScope"],
        "GitHub has no setting 'requiredScope'. It knows: requiredScopes, expiryWarningDays.",
    ),
    (
        {"settings": {"requiredScopes": "repo"}},
        ["settings", "requiredScopes"],
        'requiredScopes is a list of scopes, such as ["repo"].',
    ),
    (
        {"settings": {"requiredScopes": ["repo", "nonsense"]}},
        ["settings", "requiredScopes", "1"],
        f"GitHub has no scope 'nonsense'. It knows: {KNOWN_SCOPES}.",
    ),
    (
        {"settings": {"expiryWarningDays": 91}},
        ["settings", "expiryWarningDays"],
        "expiryWarningDays is a whole number from 1 to 90.",
    ),
    ({"settings": ["repo"]}, ["settings"], "Settings are an object, such as {}."),
    ({"labels": "platform"}, ["labels"], 'Labels are an object of text by text, such as {"team": "platform"}.'),
    (
        {"labels": {"team": 7}},
        ["labels", "team"],
        "The value of a label is text of at most 255 characters without control ones.",
    ),
    (
        {"labels": {"team": "a\0b"}},
        ["labels", "team"],
        "The value of a label is text of at most 255 characters without control ones.",
    ),
    ({"labels": {"": "x"}}, ["labels"], "A label's key has 1 to 63 characters, none of them control ones."),
    (
        {"labels": {str(number): "" for number in range(33)}},
        ["labels"],
        "A connection has at most 32 labels; these are 33.",
    ),
    ({"name": " \t "}, ["name"], "A name has at least one character that can be seen."),
    ({"name": "n" * 101}, ["name"], "A name has at most 100 characters; this one has 101."),
    ({"name": "a\0b"}, ["name"], "A name has no control characters."),
]
CREATION_ONLY: list[tuple[dict[str, Any], list[str], str]] = [
    (
        {"service": "slack", "credential": {"githubApp": {"appId": "1", "installationId": "2", "privateKey": "x"}}},
        ["credential", "githubApp"],
        "Slack takes no githubApp as a credential: give a token.",
    ),
    ({"service": "jira"}, ["service"], "Tether knows no service 'jira'. It knows: github, gitlab, slack."),
    (
        {"idempotencyKey": ""},
        ["idempotencyKey"],
        "An idempotency key has 1 to 255 printable ASCII characters; a random UUID does well.",
    ),
    (
        {"idempotencyKey": "ключ"},
        ["idempotencyKey"],
        "An idempotency key has 1 to 255 printable ASCII characters; a random UUID does well.",
    ),
]


@pytest.mark.parametrize(("members", "field", "message"), INVALID + CREATION_ONLY)
async def test_a_connection_is_not_created_from_input_that_cannot_be_used(
    shared_server: TetherServer, members: dict[str, Any], field: list[str], message: str
) -> None:
    client = await shared_server.member(Role.ADMIN)
    token = await shared_server.credential()

    error = await shared_server.creation_error(client, token, **members)

    assert error == _invalid(field, message)
    assert await shared_server.sandbox.calls(token) == []


@pytest.mark.parametrize(("members", "field", "message"), [*INVALID, ({"name": None}, *INVALID[-3][1:])])
async def test_a_connection_is_not_updated_by_input_that_cannot_be_used(
    shared_server: TetherServer, members: dict[str, Any], field: list[str], message: str
) -> None:
    client = await shared_server.member(Role.ADMIN)
    created = await shared_server.connect(client, selection=_STATE)

    assert await client.user_error("updateConnection", connectionId=created["id"], **members) == _invalid(
        field, message
    )
    assert await _state(client, created["id"]) == created


@pytest.mark.parametrize("slug", ["", "Acme", "-acme", "acme-", "a_b", "a" * 64, "ä", "a\0"])
async def test_a_slug_is_made_of_plain_characters(shared_server: TetherServer, slug: str) -> None:
    client = await shared_server.member(Role.OWNER)

    assert await client.user_error("createOrganization", slug=slug, name="Acme") == _invalid(
        ["slug"], "A slug is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-', such as 'acme-tools'."
    )
    assert await client.user_error("createOrganization", slug="free", name="") == _invalid(
        ["name"], "A name has at least one character that can be seen."
    )


async def test_a_name_or_slug_is_taken_once(server: TetherServer) -> None:
    client = await server.member(Role.OWNER)
    await server.connect(client, name="Straße")
    other = await server.connect(client, name="Other")
    created = await server.creation_error(client, await server.credential(), name="STRASSE")
    updated = await client.user_error("updateConnection", connectionId=other["id"], name="STRASSE")
    organization = await client.user_error("createOrganization", slug="acme", name="Acme")

    taken = {"__typename": "InvalidInput", "code": "NAME_TAKEN"}
    message = "Another connection is named “STRASSE” already."
    assert created == updated == {**taken, "field": ["input", "name"], "message": message}
    message = "The slug “acme” is another organization's already."
    assert organization == {**taken, "field": ["input", "slug"], "message": message}
    assert len(await server.rows("service_connections")) == 2
    assert len(await server.rows("organizations")) == 1


@pytest.mark.parametrize(
    ("paused", "wanted", "allowed", "message"),
    [
        (
            False,
            "REVOKED",
            ["INACTIVE"],
            "A connection that is ACTIVE can't be set to REVOKED; from here it can be set to INACTIVE.",
        ),
        (
            True,
            "PENDING",
            ["ACTIVE"],
            "A connection that is INACTIVE can't be set to PENDING; from here it can be set to ACTIVE.",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_step_that_the_status_machine_does_not_have_is_refused(
    shared_server: TetherServer, paused: bool, wanted: str, allowed: list[str], message: str, dry_run: bool
) -> None:
    client = await shared_server.member(Role.ADMIN)
    id_ = (await shared_server.connect(client))["id"]
    if paused:
        await client.mutate("updateConnectionStatus", "connection { id }", connectionId=id_, status="INACTIVE")
    before = await _state(client, id_)

    error = await client.user_error("updateConnectionStatus", connectionId=id_, status=wanted, dryRun=dry_run)

    assert error == {
        "__typename": "InvalidTransition",
        "code": "INVALID_TRANSITION",
        "field": ["input", "status"],
        "message": message,
        "from": before["status"],
        "to": wanted,
        "allowed": allowed,
    }
    assert await _state(client, id_) == before


async def test_an_expired_connection_is_told_that_only_a_new_credential_helps(shared_server: TetherServer) -> None:
    client = await shared_server.member(Role.ADMIN)
    token = await shared_server.credential()
    id_ = (await shared_server.connect(client, token=token))["id"]
    await shared_server.sandbox.put_token(token, service="github", behaviour="revoked")
    await client.mutate("checkConnectionHealth", "connection { id }", connectionId=id_)

    error = await client.user_error("updateConnectionStatus", connectionId=id_, status="ACTIVE")

    assert error == {
        "__typename": "InvalidTransition",
        "code": "INVALID_TRANSITION",
        "field": ["input", "status"],
        "message": "A connection that is EXPIRED becomes ACTIVE again only with a new credential: "
        "use rotateCredentials.",
        "from": "EXPIRED",
        "to": "ACTIVE",
        "allowed": [],
    }


async def test_of_two_updates_that_expect_the_same_version_exactly_one_wins(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    id_ = (await server.connect(client))["id"]

    async def update(name: str) -> Any:
        return await client.mutate(
            "updateConnection", "connection { name version }", connectionId=id_, name=name, expectedVersion=1
        )

    won, lost = sorted(
        await asyncio.gather(update("One"), update("Two")), key=lambda payload: len(payload["userErrors"])
    )

    assert won["connection"]["version"] == 2
    assert lost == {
        "connection": None,
        "userErrors": [
            {
                "__typename": "VersionConflict",
                "code": "VERSION_CONFLICT",
                "field": ["input", "expectedVersion"],
                "message": "It was changed meanwhile and is now at version 2. Read it again, then decide.",
                "currentVersion": 2,
            }
        ],
    }
    assert (await _state(client, id_))["name"] == won["connection"]["name"]


@pytest.mark.parametrize(
    "field", ["updateConnection", "updateConnectionStatus", "deleteConnection", "rotateCredentials"]
)
async def test_every_change_refuses_a_version_that_is_not_the_stored_one(
    shared_server: TetherServer, field: str
) -> None:
    client = await shared_server.member(Role.ADMIN)
    created = await shared_server.connect(client, selection=_STATE)
    needed: dict[str, dict[str, Any]] = {
        "updateConnectionStatus": {"status": "INACTIVE"},
        "rotateCredentials": {"credential": {"token": {"token": await shared_server.credential()}}},
    }
    members = needed.get(field, {})

    error = await client.user_error(field, connectionId=created["id"], expectedVersion=2, **members)

    assert (error["__typename"], error["currentVersion"]) == ("VersionConflict", 1)
    assert await _state(client, created["id"]) == created


async def test_a_credential_of_another_account_is_refused(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    created = await server.connect(client, selection=_STATE, token="sandbox-github-acme")

    error = await client.user_error(
        "rotateCredentials", connectionId=created["id"], credential={"token": {"token": "sandbox-github-globex"}}
    )

    assert error == {
        "__typename": "AccountMismatch",
        "code": "ACCOUNT_MISMATCH",
        "field": ["input", "credential"],
        "message": "This credential belongs to globex-bot, but the connection is acme-bot's. "
        "Use a credential of acme-bot, or create another connection.",
        "expected": "acme-bot",
        "actual": "globex-bot",
    }
    assert await _state(client, created["id"]) == created


async def test_a_token_cannot_be_refreshed(shared_server: TetherServer) -> None:
    client = await shared_server.member(Role.ADMIN)
    id_ = (await shared_server.connect(client))["id"]

    assert await client.user_error("rotateCredentials", connectionId=id_) == _invalid(
        ["credential"], "This credential can't be refreshed: give a new one, or authorize the connection again."
    )


_STATE = "id name status version labels settings credential { generation fingerprint } events { totalCount }"


async def _state(client: Client, id_: str) -> Any:
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on ServiceConnection {{ {_STATE} }} }} }}"
    return (await client.data(query, id=id_))["node"]


def _invalid(field: list[str], message: str) -> dict[str, Any]:
    return {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": ["input", *field], "message": message}
