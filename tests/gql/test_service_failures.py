"""What a caller learns when a service doesn't say whose a token is: by whose fault, and when to try again."""

import re
from typing import Any

import pytest

import gql.bootstrap
from domain.address_guard import OutboundAllow
from domain.entities.user import Role
from domain.http import HttpClient, HttpLimits
from domain.observation import Observation
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

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
    created = await shared_server.connect(client, service=service, selection="id")
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

    def hurried_client(*, allow: OutboundAllow, observation: Observation) -> HttpClient:
        return HttpClient(allow=allow, limits=hurried, retry_delay_seconds=lambda: 0.0, observation=observation)

    monkeypatch.setattr(gql.bootstrap, "HttpClient", hurried_client)
    nowhere = f"http://127.0.0.1:{free_tcp_port}/api"
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_SLACK_API_URL=nowhere) as server:
        client = await server.member(Role.ADMIN)
        slow = await server.credential("github", behaviour="slow", delay_seconds=3.0)
        slow_error = await server.creation_error(client, slow)
        unreachable_error = await server.creation_error(client, "any", service="slack")

    expected = {
        "__typename": "ServiceFailure",
        "code": "SERVICE_UNREACHABLE",
        "field": None,
        "remedy": "WAIT",
        "retryAfterSeconds": 30,
    }
    assert re.fullmatch(r"GitHub gave no usable answer: no answer within \d\.\d s\.", slow_error.pop("message"))
    assert slow_error == {**expected, "service": "github"}
    assert unreachable_error.pop("message") == "Slack gave no usable answer: no connection, or it broke off."
    assert unreachable_error == {**expected, "service": "slack"}


@pytest.mark.parametrize("token", ["", "with space", "line\nbreak", "nul\0", "schlüssel", "t" * 4097])
async def test_a_text_that_can_be_no_token_is_refused_unasked(shared_server: TetherServer, token: str) -> None:
    error = await shared_server.creation_error(await shared_server.member(Role.ADMIN), token)

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
