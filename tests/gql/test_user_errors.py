"""What a caller can mend: each user error with its type, code, field, message and what else it tells; nothing is stored."""

import asyncio
from typing import Any

import pytest

import gql.bootstrap
from domain.address_guard import OutboundAllow
from domain.entities.user import Role
from domain.http import HttpClient, HttpLimits
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

KNOWN_SCOPES = (
    "admin:org, admin:org_hook, admin:repo_hook, delete:packages, delete_repo, gist, notifications, project, "
    "public_repo, read:org, read:packages, read:project, read:repo_hook, read:user, repo, repo:invite, repo:status, "
    "repo_deployment, security_events, user, user:email, user:follow, workflow, write:org, write:packages, "
    "write:repo_hook"
)
INVALID = [
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
CREATION_ONLY = [
    ({"service": "gitlab"}, ["service"], "Tether knows no service 'gitlab'. It knows: github, slack."),
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

    error = await _creation_error(shared_server, client, token, **members)

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
    created = await _creation_error(server, client, await server.credential(), name="STRASSE")
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
        "message": "A connection that is EXPIRED becomes ACTIVE again only with a new credential: use rotateCredentials.",
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
    members: dict[str, Any] = {
        "updateConnectionStatus": {"status": "INACTIVE"},
        "rotateCredentials": {"credential": {"token": {"token": await shared_server.credential()}}},
    }.get(field, {})

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
        ["credential"], "A token can't be refreshed: give a new one."
    )


REFUSED = "GitHub refuses the token: it has expired, was revoked, or was mistyped."
TOKEN = ["input", "credential", "token"]
FAILURES = [
    ("github", {"behaviour": "revoked"}, "CREDENTIAL_REFUSED", "RECONNECT", None, TOKEN, REFUSED),
    (
        "slack",
        {"behaviour": "revoked"},
        "CREDENTIAL_REFUSED",
        "RECONNECT",
        None,
        TOKEN,
        "The token was revoked at Slack, or the app was removed from the workspace.",
    ),
    (
        "slack",
        {"behaviour": "expired"},
        "CREDENTIAL_REFUSED",
        "RECONNECT",
        None,
        TOKEN,
        "The token has expired. Connect again with a new one.",
    ),
    (
        "github",
        {"behaviour": "secondary_limited", "retry_after_seconds": 77},
        "SERVICE_RATE_LIMITED",
        "WAIT",
        77,
        None,
        "GitHub limits how often we may call. It answers again at ",
    ),
    (
        "slack",
        {"behaviour": "rate_limited", "retry_after_seconds": 12},
        "SERVICE_RATE_LIMITED",
        "WAIT",
        12,
        None,
        "Slack limits how often we may call. It answers again at ",
    ),
    (
        "github",
        {"behaviour": "server_error", "status": 503},
        "SERVICE_UNREACHABLE",
        "WAIT",
        30,
        None,
        "GitHub answers with an error of its own (HTTP 503).",
    ),
    (
        "github",
        {"behaviour": "garbage_html"},
        "SERVICE_UNREACHABLE",
        "WAIT",
        30,
        None,
        "GitHub's answer isn't the account that its documentation describes.",
    ),
    (
        "slack",
        {"behaviour": "garbage_json"},
        "SERVICE_UNREACHABLE",
        "WAIT",
        30,
        None,
        "Slack's answer (HTTP 200) isn't what its documentation describes.",
    ),
    (
        "github",
        {"behaviour": "truncated"},
        "SERVICE_UNREACHABLE",
        "WAIT",
        30,
        None,
        "GitHub gave no usable answer: an answer that isn't whole, valid HTTP.",
    ),
    (
        "github",
        {"behaviour": "huge_body"},
        "SERVICE_UNREACHABLE",
        "WAIT",
        30,
        None,
        "GitHub gave no usable answer: an answer of more than 5242880 bytes.",
    ),
    (
        "github",
        {"behaviour": "sso_required"},
        "SERVICE_REFUSED",
        "CONTACT_ADMIN",
        None,
        None,
        "An organization demands single sign-on: authorize the token for it at the address in the evidence.",
    ),
]


@pytest.mark.parametrize(("service", "behaviour", "code", "remedy", "wait", "field", "message"), FAILURES)
@pytest.mark.parametrize("mutation", ["createConnection", "rotateCredentials"])
async def test_where_the_service_does_not_say_whose_a_token_is_nothing_is_stored(
    shared_server: TetherServer,
    mutation: str,
    service: Any,
    behaviour: dict[str, Any],
    code: str,
    remedy: str,
    wait: int | None,
    field: list[str] | None,
    message: str,
) -> None:
    client = await shared_server.member(Role.ADMIN)
    created = await shared_server.connect(client, service=service, selection=_STATE)
    bad = {"token": {"token": await shared_server.credential(service, **behaviour)}}
    tables = ("service_connections", "service_credentials", "health_checks", "connection_events")
    before = [await shared_server.rows(table) for table in tables]
    if mutation == "createConnection":
        members = {"organizationId": await shared_server.organization_id(), "service": service}
    else:
        members = {"connectionId": created["id"]}

    error = await client.user_error(mutation, credential=bad, **members)

    assert error.pop("message").startswith(message)
    assert error == {
        "__typename": "ServiceFailure",
        "code": code,
        "field": field,
        "service": service,
        "remedy": remedy,
        "retryAfterSeconds": wait,
    }
    assert [await shared_server.rows(table) for table in tables] == before


async def test_a_service_that_is_unreachable_or_slow_is_told_from_a_bad_credential(
    sqlite_url: str, encryption_key: str, sandbox: SandboxServer, free_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = HttpLimits(read_timeout_seconds=0.3)

    def hurried_client(*, allow: OutboundAllow) -> HttpClient:
        return HttpClient(allow=allow, limits=hurried, retry_delay_seconds=lambda: 0.0)

    monkeypatch.setattr(gql.bootstrap, "HttpClient", hurried_client)
    nowhere = f"http://127.0.0.1:{free_tcp_port}/api"
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_SLACK_API_URL=nowhere) as server:
        client = await server.member(Role.ADMIN)
        slow = await server.credential("github", behaviour="slow", delay_seconds=3.0)
        slow_error = await _creation_error(server, client, slow)
        unreachable_error = await _creation_error(server, client, "any", service="slack")

    expected = {
        "__typename": "ServiceFailure",
        "code": "SERVICE_UNREACHABLE",
        "field": None,
        "remedy": "WAIT",
        "retryAfterSeconds": 30,
    }
    assert slow_error.pop("message").startswith("GitHub gave no usable answer: no answer within 0.")
    assert slow_error == {**expected, "service": "github"}
    assert unreachable_error.pop("message") == "Slack gave no usable answer: no connection, or it broke off."
    assert unreachable_error == {**expected, "service": "slack"}


@pytest.mark.parametrize("token", ["", "with space", "line\nbreak", "nul\0", "schlüssel", "t" * 4097])
async def test_a_text_that_can_be_no_token_is_refused_unasked(shared_server: TetherServer, token: str) -> None:
    error = await _creation_error(shared_server, await shared_server.member(Role.ADMIN), token)

    assert error == {
        "__typename": "ServiceFailure",
        "code": "CREDENTIAL_REFUSED",
        "field": TOKEN,
        "message": "This can't be a token of GitHub: it is empty, too long, or holds a space, a line break "
        "or another character that tokens don't have. Copy it again.",
        "service": "github",
        "remedy": "RECONNECT",
        "retryAfterSeconds": None,
    }


_STATE = "id name status version labels settings credential { generation fingerprint } events { totalCount }"


async def _state(client: Client, id_: str) -> Any:
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on ServiceConnection {{ {_STATE} }} }} }}"
    return (await client.data(query, id=id_))["node"]


async def _creation_error(server: TetherServer, client: Client, token: str, **members: Any) -> dict[str, Any]:
    given = {
        "organizationId": await server.organization_id(),
        "service": "github",
        "credential": {"token": {"token": token}},
        **members,
    }
    return await client.user_error("createConnection", **given)


def _invalid(field: list[str], message: str) -> dict[str, Any]:
    return {"__typename": "InvalidInput", "code": "INVALID_INPUT", "field": ["input", *field], "message": message}
