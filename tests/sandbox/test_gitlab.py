"""The simulated GitLab answers as GitLab does: refusals, paging and etags."""

import httpx2
import pytest

from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


def bearer(token: str, **headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **headers}


async def test_a_token_made_over_the_control_api_is_shown_as_it_was_made(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    projects = [{"id": 3, "path": "a/b", "private": True, "archived": False, "default_branch": "main"}]
    await sandbox.put_token("shown", service="gitlab", account={"username": "rosa"}, projects=projects)

    shown = (await client.get(f"{sandbox.url}/_sandbox/tokens/shown")).json()

    assert (shown["service"], shown["account"]["username"], shown["projects"]) == ("gitlab", "rosa", projects)
    wrong = {"service": "gitlab", "projects": [{"id": 0, "size": 1}], "behaviour": "account_inactive"}
    answer = await client.put(f"{sandbox.url}/_sandbox/tokens/shown", json=wrong)
    assert answer.status_code == 422
    assert {each["key"] for each in answer.json()["problems"]} == {"behaviour", "projects[0].id", "projects[0].size"}


async def test_it_refuses_in_gitlabs_words(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.put_token("user-only", service="gitlab", scopes=["read_user"])
    user, projects = f"{sandbox.gitlab_api_url}/user", f"{sandbox.gitlab_api_url}/projects"

    unknown = await client.get(user, headers=bearer("unknown"))
    expired = await client.get(user, headers=bearer("sandbox-gitlab-expired"))
    scope = await client.get(projects, headers=bearer("user-only"))
    limited = await client.get(user, headers=bearer("sandbox-gitlab-rate-limited"))

    assert (unknown.status_code, unknown.json()) == (401, {"message": "401 Unauthorized"})
    assert (expired.status_code, expired.json()["error"]) == (401, "invalid_token")
    assert (scope.status_code, scope.json()["error"], scope.json()["scope"]) == (
        403,
        "insufficient_scope",
        "api read_api",
    )
    assert (limited.status_code, limited.text) == (429, "Retry later\n")
    assert (limited.headers["retry-after"], limited.headers["ratelimit-remaining"]) == ("60", "0")


async def test_a_quota_counts_down_and_ends(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.put_token("counting", service="gitlab", quota={"limit": 2})
    address = f"{sandbox.gitlab_api_url}/user"

    answers = [await client.get(address, headers=bearer("counting")) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]


async def test_projects_are_paged_by_their_ids(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    projects = [{"id": number, "path": f"a/p{number}"} for number in (9, 3, 5)]
    await sandbox.put_token("paging", service="gitlab", projects=projects)
    address: str | None = f"{sandbox.gitlab_api_url}/projects?per_page=2&pagination=keyset"

    pages = []
    while address is not None:
        answer = await client.get(address, headers=bearer("paging"))
        pages.append([project["id"] for project in answer.json()])
        address = answer.links.get("next", {}).get("url")

    assert pages == [[3, 5], [9], []]


async def test_an_etag_is_answered_with_304(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    address = f"{sandbox.gitlab_api_url}/user"
    first = await client.get(address, headers=bearer("sandbox-gitlab-acme"))

    again = await client.get(address, headers=bearer("sandbox-gitlab-acme", **{"if-none-match": first.headers["etag"]}))

    assert (again.status_code, again.content) == (304, b"")


async def test_a_delivery_without_an_address_goes_nowhere(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{sandbox.url}/_sandbox/gitlab/deliveries", json={"event": "Push Hook", "payload": {}})
    assert answer.status_code == 404
    mistaken = await client.post(f"{sandbox.url}/_sandbox/gitlab/deliveries", json={"payload": 1})
    assert [each["key"] for each in mistaken.json()["problems"]] == ["event", "payload"]


async def test_links_lead_somewhere(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    user = (await client.get(f"{sandbox.gitlab_api_url}/user", headers=bearer("sandbox-gitlab-acme"))).json()
    projects = (await client.get(f"{sandbox.gitlab_api_url}/projects", headers=bearer("sandbox-gitlab-acme"))).json()

    addresses = [user["web_url"], user["avatar_url"], projects[0]["web_url"]]
    assert [(await client.get(address)).status_code for address in addresses] == [200, 200, 200]
    assert (await client.get(f"{sandbox.gitlab_url}/nobody")).status_code == 404
