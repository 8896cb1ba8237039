"""GitLab's projects: page by page, with etags, and never to another host."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.credential_secrets import TokenSecret
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.gitlab.repositories import PAGE_SIZE, GitLabProjects, _read_page
from domain.services.repository_listing import PageUnchanged, RemoteRepository, RepositoryPage
from domain.services.service_fault import FaultKind, ServiceFault
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def projects(http: HttpClient, sandbox: SandboxServer) -> GitLabProjects:
    return GitLabProjects(http, sandbox.gitlab_api_url, lambda: datetime.now(UTC))


async def new_token(sandbox: SandboxServer, **behaviour: Any) -> TokenSecret:
    name = f"canary-{secrets.token_hex(12)}"
    await sandbox.put_token(name, service="gitlab", **behaviour)
    return TokenSecret(Secret(name))


def many(count: int) -> list[dict[str, object]]:
    return [{"id": 100 + index, "path": f"acme/p{index}"} for index in range(count)]


async def all_pages(projects: GitLabProjects, token: TokenSecret) -> list[RepositoryPage]:
    pages: list[RepositoryPage] = []
    at: str | None = None
    while not pages or at is not None:
        page = await projects.page(token, at, None)
        assert isinstance(page, RepositoryPage), page
        pages.append(page)
        at = page.next
    return pages


async def test_a_project_is_a_repository(projects: GitLabProjects, sandbox: SandboxServer) -> None:
    token = await new_token(
        sandbox,
        projects=[
            {"id": 5, "path": "acme/tools/api", "private": True, "default_branch": "trunk"},
            {"id": 3, "path": "acme/old", "archived": True},
        ],
    )

    pages = await all_pages(projects, token)

    web = sandbox.gitlab_url
    assert [each for page in pages for each in page.repositories] == [
        RemoteRepository("3", "acme/old", f"{web}/acme/old", "main", private=False, archived=True),
        RemoteRepository("5", "acme/tools/api", f"{web}/acme/tools/api", "trunk", private=True, archived=False),
    ]
    assert pages[0].rate_limit is not None
    assert pages[0].rate_limit.limit == 2000


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE + 50])
async def test_every_project_is_listed_once(count: int, projects: GitLabProjects, sandbox: SandboxServer) -> None:
    token = await new_token(sandbox, projects=many(count))

    pages = await all_pages(projects, token)

    assert [each.external_id for page in pages for each in page.repositories] == [str(100 + n) for n in range(count)]
    assert all(len(page.repositories) <= PAGE_SIZE for page in pages)


async def test_an_etag_asks_whether_the_page_is_what_it_was(projects: GitLabProjects, sandbox: SandboxServer) -> None:
    token = await new_token(sandbox, projects=many(3))
    page = await projects.page(token, None, None)
    assert isinstance(page, RepositoryPage)
    assert page.etag is not None

    assert isinstance(await projects.page(token, None, page.etag), PageUnchanged)
    await sandbox.put_token(token.token.reveal(), service="gitlab", projects=many(4))
    changed = await projects.page(token, None, page.etag)

    assert isinstance(changed, RepositoryPage)
    assert len(changed.repositories) == 4


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("missing_scope", FaultKind.SCOPE_MISSING),
        ("rate_limited", FaultKind.RATE_LIMITED),
        ("revoked", FaultKind.CREDENTIAL_REVOKED),
        ("empty_object", FaultKind.SERVICE_ERROR),
        ("wrong_type", FaultKind.SERVICE_ERROR),
        ("slow", FaultKind.UNREACHABLE),
    ],
)
async def test_what_goes_wrong_is_a_fault(
    behaviour: str, kind: FaultKind, projects: GitLabProjects, sandbox: SandboxServer
) -> None:
    token = await new_token(sandbox, behaviour=behaviour)

    found = await projects.page(token, None, None)

    assert isinstance(found, ServiceFault)
    assert found.kind is kind


def listed(count: int, **headers: str) -> HttpAnswer:
    body = [{"id": n + 1, "path_with_namespace": f"a/{n}", "web_url": f"https://g.example/a/{n}"} for n in range(count)]
    return HttpAnswer(200, headers, json.dumps(body).encode(), 5)


async def test_the_next_page_is_asked_for_where_this_one_was() -> None:
    page = _read_page(listed(1, link='<https://evil.example/api/v4/x?id_after=7&per_page=100>; rel="next"'))

    assert isinstance(page, RepositoryPage)
    assert page.next == "id_after=7&per_page=100"


@pytest.mark.parametrize("link", ['<https://g.example/projects>; rel="next"', 'rel="next"', '<?a b>; rel="next"'])
async def test_a_next_page_that_cannot_be_read_is_not_the_end(link: str) -> None:
    found = _read_page(listed(1, link=link))

    assert isinstance(found, ServiceFault)
    assert found.kind is FaultKind.SERVICE_ERROR


async def test_a_full_last_page_keeps_no_etag() -> None:
    following = '<https://g.example/projects?id_after=1>; rel="next"'
    pages = [
        _read_page(listed(PAGE_SIZE, etag='W/"1"')),
        _read_page(listed(PAGE_SIZE, etag='W/"1"', link=following)),
        _read_page(listed(PAGE_SIZE - 1, etag='W/"1"')),
        _read_page(listed(1, etag="1\r\nx: y")),
    ]

    assert [page.etag for page in pages if isinstance(page, RepositoryPage)] == [None, 'W/"1"', 'W/"1"', None]


@pytest.mark.parametrize("project", [None, [], {}, {"id": 1}, {"id": "1", "path_with_namespace": "a/b"}])
async def test_a_project_that_cannot_be_read_spoils_the_page(project: object) -> None:
    found = _read_page(HttpAnswer(200, {}, json.dumps([project]).encode(), 5))

    assert isinstance(found, ServiceFault)
    assert found.code == "gitlab_unexpected_answer"
