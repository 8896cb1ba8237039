"""Tokens with a number work without being made, each as the account with that number."""

import httpx2
import pytest

from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


async def test_each_number_is_an_account_of_github(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    first, second = [await _github(sandbox, client, f"sandbox-github-{number}") for number in (17, 123_456_789)]
    assert (first.json()["id"], first.json()["login"]) == (17, "account-17")
    assert (second.json()["id"], second.json()["login"]) == (123_456_789, "account-123456789")
    assert first.headers["x-oauth-scopes"] == "repo, read:org, user"
    again = await _github(sandbox, client, "sandbox-github-17")
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"] == "4999"


async def test_each_number_is_a_workspace_of_slack(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        f"{sandbox.slack_api_url}/auth.test", headers={"authorization": "Bearer sandbox-slack-17"}
    )
    assert (answer.json()["ok"], answer.json()["team_id"], answer.json()["team"]) == (True, "T17", "Workspace 17")


@pytest.mark.parametrize("token", ["sandbox-github-0", "sandbox-github-017", "sandbox-github-1234567890"])
async def test_other_spellings_are_refused(sandbox: SandboxServer, client: httpx2.AsyncClient, token: str) -> None:
    assert (await _github(sandbox, client, token)).status_code == 401


async def test_one_that_was_made_goes_before(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.put_token("sandbox-github-17", service="github", behaviour="revoked")
    assert (await _github(sandbox, client, "sandbox-github-17")).status_code == 401


async def _github(sandbox: SandboxServer, client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.get(f"{sandbox.github_api_url}/user", headers={"authorization": f"Bearer {token}"})
