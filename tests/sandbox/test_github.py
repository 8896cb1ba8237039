"""The simulated GitHub answers in the shapes that GitHub documents."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.sandbox.conftest import START, MovableClock
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


class GitHubClient:
    def __init__(self, sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
        self._sandbox, self._client = sandbox, client

    async def get(self, token: str, path: str = "/user", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.get(
            self._sandbox.github_api_url + path, headers={"authorization": f"Bearer {token}", **named}
        )


@pytest.fixture
def github(sandbox: SandboxServer, client: httpx2.AsyncClient) -> GitHubClient:
    return GitHubClient(sandbox, client)


@pytest.mark.parametrize("scheme", ["Bearer", "token", "bearer"])
async def test_user_says_who_the_token_is(sandbox: SandboxServer, client: httpx2.AsyncClient, scheme: str) -> None:
    authorization = {"authorization": f"{scheme} sandbox-github-acme"}
    response = await client.get(f"{sandbox.github_api_url}/user", headers=authorization)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["x-oauth-scopes"] == "repo, read:org, user"
    assert response.headers["x-accepted-oauth-scopes"] == ""
    assert response.headers["x-github-request-id"].count(":") == 4
    assert "github-authentication-token-expiration" not in response.headers
    user = response.json()
    assert (user["id"], user["login"], user["name"], user["type"]) == (583231, "acme-bot", "Acme Bot", "User")
    assert user["html_url"] == f"{sandbox.github_url}/acme-bot"


async def test_links_of_an_account_lead_to_pages(
    sandbox: SandboxServer, client: httpx2.AsyncClient, github: GitHubClient
) -> None:
    user = (await github.get("sandbox-github-acme")).json()
    repository = (await github.get("sandbox-github-acme", "/user/repos")).json()[0]
    assert (await client.get(user["html_url"])).status_code == 200
    assert (await client.get(repository["html_url"])).status_code == 200
    assert (await client.get(user["avatar_url"])).headers["content-type"] == "image/svg+xml"
    assert (await client.get(f"{sandbox.github_url}/nobody")).status_code == 404


async def test_a_fine_grained_token_says_no_scopes(github: GitHubClient) -> None:
    response = await github.get("sandbox-github-fine-grained")
    assert response.status_code == 200
    assert "x-oauth-scopes" not in response.headers


async def test_a_token_that_ends_says_when_and_then_ends(
    sandbox: SandboxServer, github: GitHubClient, clock: MovableClock
) -> None:
    await sandbox.put_token("ends", service="github", expires_at="2026-12-01T11:00:00+01:00")
    response = await github.get("ends")
    assert response.headers["github-authentication-token-expiration"] == "2026-12-01 10:00:00 UTC"
    clock.advance(days=11)
    assert (await github.get("ends")).status_code == 401


async def test_quota_counts_down_call_by_call_then_refuses_then_resets(
    sandbox: SandboxServer, github: GitHubClient, clock: MovableClock
) -> None:
    await sandbox.put_token("quota", service="github", quota={"limit": 3, "remaining": 2, "reset_in_seconds": 90})
    reset = str(int((START + timedelta(seconds=90)).timestamp()))
    for left in ("1", "0"):
        headers = (await github.get("quota")).headers
        assert headers["x-ratelimit-limit"] == "3"
        assert headers["x-ratelimit-remaining"] == left
        assert headers["x-ratelimit-used"] == str(3 - int(left))
        assert headers["x-ratelimit-reset"] == reset
        assert headers["x-ratelimit-resource"] == "core"
    refused = await github.get("quota")
    assert refused.status_code == 403
    assert refused.json()["message"] == "API rate limit exceeded for user ID 583231."
    assert (refused.headers["x-ratelimit-remaining"], refused.headers["x-ratelimit-reset"]) == ("0", reset)
    assert "retry-after" not in refused.headers
    clock.advance(seconds=90)
    assert (await github.get("quota")).headers["x-ratelimit-remaining"] == "2"


async def test_rate_limit_costs_nothing_and_answers_when_nothing_is_left(
    sandbox: SandboxServer, github: GitHubClient, clock: MovableClock
) -> None:
    await sandbox.put_token("spent", service="github", quota={"limit": 60, "remaining": 0, "reset_in_seconds": 30})
    response = await github.get("spent", "/rate_limit")
    core = {"limit": 60, "used": 60, "remaining": 0, "reset": int(START.timestamp()) + 30, "resource": "core"}
    assert response.status_code == 200
    assert response.json()["resources"]["core"] == response.json()["rate"] == core


async def test_an_unchanged_answer_is_304_and_costs_nothing(sandbox: SandboxServer, github: GitHubClient) -> None:
    await sandbox.put_token("etag", service="github")
    first = await github.get("etag")
    second = await github.get("etag", if_none_match=first.headers["etag"])
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"] == "4999"


async def test_repositories_come_in_pages_linked_as_github_does(sandbox: SandboxServer, github: GitHubClient) -> None:
    seen: list[dict[str, Any]] = []
    response = await github.get("sandbox-github-acme", "/user/repos?per_page=5")
    assert 'rel="prev"' not in response.headers["link"]
    assert f'<{sandbox.github_api_url}/user/repos?per_page=5&page=3>; rel="last"' in response.headers["link"]
    while True:
        seen += response.json()
        if "next" not in response.links:
            break
        path = response.links["next"]["url"].removeprefix(sandbox.github_api_url)
        response = await github.get("sandbox-github-acme", path)
    assert len({repository["id"] for repository in seen}) == 12
    assert [repository["name"] for repository in seen] == sorted(repository["name"] for repository in seen)
    assert set(response.links) == {"prev", "first"}
    mobile = next(repository for repository in seen if repository["name"] == "mobile")
    assert (mobile["full_name"], mobile["archived"], mobile["private"]) == ("acme-bot/mobile", True, False)
    assert (mobile["default_branch"], mobile["owner"]["id"]) == ("main", 583231)


@pytest.mark.parametrize(
    ("query", "count"),
    [("per_page=1000", 100), ("per_page=0", 30), ("per_page=x", 30), ("page=5", 0), ("visibility=private", 0)],
)
async def test_odd_page_sizes_are_taken_as_github_takes_them(
    sandbox: SandboxServer, github: GitHubClient, query: str, count: int
) -> None:
    await sandbox.put_token("many", service="github", repositories=[{"name": f"r{n:03}"} for n in range(101)])
    response = await github.get("many", f"/user/repos?{query}")
    assert (response.status_code, len(response.json())) == (200, count)


async def test_private_repositories_need_the_scope_repo(github: GitHubClient) -> None:
    few = (await github.get("sandbox-github-few-scopes", "/user/repos")).json()
    fine_grained = (await github.get("sandbox-github-fine-grained", "/user/repos")).json()
    assert (len(few), any(repository["private"] for repository in few)) == (8, False)
    assert len(fine_grained) == 12


@pytest.mark.parametrize("token", ["nobody-made-this", "sandbox-github-revoked", "sandbox-slack-acme", "a b"])
async def test_a_bad_credential_is_401(github: GitHubClient, token: str) -> None:
    response = await github.get(token)
    assert response.status_code == 401
    assert response.json()["message"] == "Bad credentials"
    assert response.json()["status"] == "401"
    assert response.json()["documentation_url"].startswith("https://docs.github.com/")
    assert "x-oauth-scopes" not in response.headers


async def test_without_a_token_only_the_root_answers(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    for root in (sandbox.github_api_url, f"{sandbox.github_api_url}/"):
        response = await client.get(root)
        assert response.status_code == 200
        assert response.json()["current_user_url"] == f"{sandbox.github_api_url}/user"
        assert response.headers["x-ratelimit-limit"] == "60"
    response = await client.get(f"{sandbox.github_api_url}/user")
    assert (response.status_code, response.json()["message"]) == (401, "Requires authentication")


async def test_an_unknown_endpoint_and_a_wrong_method_are_404(
    sandbox: SandboxServer, client: httpx2.AsyncClient, github: GitHubClient
) -> None:
    assert (await github.get("sandbox-github-acme", "/nothing")).json()["message"] == "Not Found"
    assert (await github.get("sandbox-github-acme", "/user/")).status_code == 404
    authorization = {"authorization": "Bearer sandbox-github-acme"}
    for path in ("/user", "/rate_limit", "/"):
        assert (await client.post(sandbox.github_api_url + path, headers=authorization)).status_code == 404


async def test_a_caller_without_a_user_agent_is_refused(github: GitHubClient) -> None:
    response = await github.get("sandbox-github-acme", user_agent="")
    assert response.status_code == 403
    assert "User-Agent" in response.text


@pytest.mark.parametrize(
    ("token", "message", "header"),
    [
        ("suspended", "Sorry. Your account was suspended.", None),
        ("sso-required", "Resource protected by organization SAML enforcement.", "x-github-sso"),
        ("missing-scope", "Resource not accessible by personal access token", "x-accepted-oauth-scopes"),
        ("rate-limited", "API rate limit exceeded for user ID", "x-ratelimit-reset"),
        ("secondary-limited", "You have exceeded a secondary rate limit.", "retry-after"),
        ("secondary-limited-bare", "You have exceeded a secondary rate limit.", None),
    ],
)
async def test_a_refusal_is_403_and_its_words_say_which(
    github: GitHubClient, token: str, message: str, header: str | None
) -> None:
    response = await github.get(f"sandbox-github-{token}")
    assert response.status_code == 403
    assert response.json()["message"].startswith(message)
    assert response.json()["status"] == "403"
    assert header is None or header in response.headers
    assert ("retry-after" in response.headers) == (token == "secondary-limited")
    assert (response.headers.get("x-ratelimit-remaining") == "0") == (token == "rate-limited")


async def test_a_bare_secondary_limit_says_neither_how_long_nor_how_much(github: GitHubClient) -> None:
    headers = (await github.get("sandbox-github-secondary-limited-bare")).headers
    assert not [name for name in headers if name == "retry-after" or name.startswith("x-ratelimit")]


async def test_a_secondary_limit_can_be_429(sandbox: SandboxServer, github: GitHubClient) -> None:
    await sandbox.put_token(
        "limited", service="github", behaviour="secondary_limited", status=429, retry_after_seconds=7
    )
    response = await github.get("limited")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert response.headers["x-ratelimit-remaining"] == "5000"


async def test_a_fine_grained_token_without_permission_is_told_which(
    sandbox: SandboxServer, github: GitHubClient
) -> None:
    await sandbox.put_token("unpermitted", service="github", behaviour="missing_scope", scopes=None)
    response = await github.get("unpermitted", "/user/repos")
    assert response.headers["x-accepted-github-permissions"] == "metadata=read"
    assert "x-accepted-oauth-scopes" not in response.headers
