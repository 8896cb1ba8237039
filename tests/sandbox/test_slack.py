"""The simulated Slack answers in the shapes that Slack documents."""

from typing import Any

import httpx2
import pytest

from tests.sandbox.conftest import MovableClock
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


class SlackClient:
    def __init__(self, sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
        self._sandbox, self._client = sandbox, client

    async def call(self, token: str, method: str = "auth.test", **arguments: str) -> httpx2.Response:
        authorization = {"authorization": f"Bearer {token}"}
        return await self._client.post(f"{self._sandbox.slack_api_url}/{method}", headers=authorization, data=arguments)


@pytest.fixture
def slack(sandbox: SandboxServer, client: httpx2.AsyncClient) -> SlackClient:
    return SlackClient(sandbox, client)


async def test_auth_test_says_who_the_token_is(
    sandbox: SandboxServer, client: httpx2.AsyncClient, slack: SlackClient
) -> None:
    response = await slack.call("sandbox-slack-acme")
    assert response.status_code == 200
    assert response.headers["x-oauth-scopes"] == "channels:read,channels:join,chat:write,reactions:write,team:read"
    assert len(response.headers["x-slack-req-id"]) == 32
    assert response.json() == {
        "ok": True,
        "url": f"{sandbox.slack_url}/acme/",
        "team": "Acme",
        "user": "tether",
        "team_id": "T0ACME123",
        "user_id": "U0ACMEBOT",
        "bot_id": "B0ACMEBOT",
        "is_enterprise_install": False,
    }
    assert (await client.get(response.json()["url"])).status_code == 200


async def test_a_method_takes_get_form_and_json(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    address = f"{sandbox.slack_api_url}/conversations.list"
    authorization = {"authorization": "Bearer sandbox-slack-acme"}
    answers = [
        await client.get(address, headers=authorization, params={"limit": "2"}),
        await client.post(address, headers=authorization, data={"limit": "2"}),
        await client.post(address, headers=authorization, json={"limit": 2}),
        await client.post(address, data={"limit": "2", "token": "sandbox-slack-acme"}),
    ]
    assert [len(answer.json()["channels"]) for answer in answers] == [2, 2, 2, 2]


async def test_conversations_come_in_pages_by_cursor(slack: SlackClient) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await slack.call("sandbox-slack-acme", "conversations.list", limit="3", cursor=cursor)).json()
        seen += [channel["name"] for channel in answer["channels"]]
        cursor = answer["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert seen == ["general", "announcements", "deployments", "incidents", "random", "support", "old-ideas"]


async def test_private_channels_need_their_scope(sandbox: SandboxServer, slack: SlackClient) -> None:
    refused = await slack.call("sandbox-slack-acme", "conversations.list", types="private_channel")
    assert refused.json()["error"] == "missing_scope"
    assert refused.json()["needed"] == "groups:read"
    await sandbox.put_token("private", service="slack", scopes=["groups:read"])
    answer = await slack.call("private", "conversations.list", types="private_channel")
    assert [channel["name"] for channel in answer.json()["channels"]] == ["leadership"]


async def test_a_missing_scope_says_needed_and_provided(slack: SlackClient) -> None:
    assert (await slack.call("sandbox-slack-few-scopes")).json()["ok"] is True
    answer = await slack.call("sandbox-slack-few-scopes", "conversations.list")
    assert answer.status_code == 200
    assert answer.headers["x-oauth-scopes"] == "chat:write"
    assert answer.json() == {"ok": False, "error": "missing_scope", "needed": "channels:read", "provided": "chat:write"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"cursor": "bm90aGluZw=="}, "invalid_cursor"),
        ({"cursor": "%%"}, "invalid_cursor"),
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "10000000000001"}, "invalid_limit"),
        ({"types": "secret"}, "invalid_types"),
    ],
)
async def test_bad_arguments_are_named(slack: SlackClient, arguments: dict[str, str], error: str) -> None:
    answer = await slack.call("sandbox-slack-acme", "conversations.list", **arguments)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


async def test_archived_channels_can_be_left_out(slack: SlackClient) -> None:
    answer = await slack.call("sandbox-slack-acme", "conversations.list", exclude_archived="true")
    assert "old-ideas" not in [channel["name"] for channel in answer.json()["channels"]]


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("nobody-made-this", "invalid_auth"),
        ("sandbox-github-acme", "invalid_auth"),
        ("sandbox-slack-revoked", "token_revoked"),
        ("sandbox-slack-expired", "token_expired"),
        ("sandbox-slack-invalid-auth", "invalid_auth"),
        ("sandbox-slack-account-inactive", "account_inactive"),
        ("sandbox-slack-org-login-required", "org_login_required"),
        ("sandbox-slack-ekm-access-denied", "ekm_access_denied"),
        ("sandbox-slack-accesslimited", "accesslimited"),
        ("sandbox-slack-internal-error", "internal_error"),
    ],
)
async def test_a_refusal_is_200_with_ok_false(slack: SlackClient, token: str, error: str) -> None:
    answer = await slack.call(token)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})
    assert "x-oauth-scopes" not in answer.headers


async def test_no_token_is_not_authed_and_a_token_in_the_query_is_none(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    for query in ("", "?token=sandbox-slack-acme"):
        answer = await client.get(f"{sandbox.slack_api_url}/auth.test{query}")
        assert answer.json() == {"ok": False, "error": "not_authed"}


@pytest.mark.parametrize("body", ["{", "[]", "3", ""])
async def test_a_json_body_that_is_no_object_is_refused(
    sandbox: SandboxServer, client: httpx2.AsyncClient, body: str
) -> None:
    headers = {"authorization": "Bearer sandbox-slack-acme", "content-type": "application/json; charset=utf-8"}
    answer = await client.post(f"{sandbox.slack_api_url}/auth.test", headers=headers, content=body)
    assert answer.json() == {"ok": False, "error": "invalid_json"}


async def test_an_unknown_method_is_named(slack: SlackClient) -> None:
    answer = await slack.call("sandbox-slack-acme", "chat.whisper")
    assert answer.json() == {"ok": False, "error": "unknown_method", "req_method": "chat.whisper"}


async def test_a_rate_limited_token_is_429_with_retry_after(slack: SlackClient) -> None:
    answer = await slack.call("sandbox-slack-rate-limited")
    assert (answer.status_code, answer.json()) == (429, {"ok": False, "error": "ratelimited"})
    assert answer.headers["retry-after"] == "60"


async def test_quota_ends_in_429_until_its_reset(
    sandbox: SandboxServer, slack: SlackClient, clock: MovableClock
) -> None:
    await sandbox.put_token("s-quota", service="slack", quota={"limit": 2, "remaining": 1, "reset_in_seconds": 20})
    assert (await slack.call("s-quota")).status_code == 200
    clock.advance(seconds=5)
    refused = await slack.call("s-quota")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "15")
    clock.advance(seconds=15)
    assert (await slack.call("s-quota")).status_code == 200


async def test_a_token_that_ends_says_in_how_many_seconds_and_then_ends(
    sandbox: SandboxServer, slack: SlackClient, clock: MovableClock
) -> None:
    await sandbox.put_token("s-ends", service="slack", expires_at="2026-11-20T22:00:00Z")
    answer: dict[str, Any] = (await slack.call("s-ends")).json()
    assert answer["expires_in"] == 12 * 3600
    clock.advance(hours=12)
    assert (await slack.call("s-ends")).json()["error"] == "token_expired"
