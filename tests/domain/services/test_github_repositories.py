"""The repositories that a credential reaches: all of them, page by page, never outside GitHub's own address."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, TokenSecret
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.github import GitHub
from domain.services.github.paging import next_path
from domain.services.repository_listing import PageUnchanged, RemoteRepository, RepositoryPage
from domain.services.service_fault import FaultKind, ServiceFault
from sandbox.serving import serving
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

API = "https://github.example/api/v3"
REPOSITORY = {"id": 1, "full_name": "acme/api", "html_url": "https://github.example/acme/api", "private": False}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def github(http: HttpClient, sandbox: SandboxServer) -> GitHub:
    return GitHub(http, sandbox.github_api_url, sandbox.github_url, now)


@pytest.fixture(params=["token", "installation"])
async def many(request: pytest.FixtureRequest, sandbox: SandboxServer) -> CredentialSecret:
    """A credential that reaches 250 repositories."""
    repositories = [
        {"id": 5000 + number, "name": f"repository-{number:03}", "private": number % 2 == 0, "archived": number == 7}
        for number in range(250)
    ]
    if request.param == "token":
        token = secrets.token_hex(8)
        await sandbox.put_token(token, service="github", repositories=repositories, scopes=["repo"])
        return TokenSecret(Secret(token))
    app_id, number = str(100_000 + secrets.randbelow(1 << 30)), secrets.randbelow(1 << 40)
    await sandbox.put_github_app(app_id)
    await sandbox.put_installation(number, app_id=app_id, repositories=repositories)
    return GitHubAppSecret(app_id, str(number), Secret(await sandbox.make_github_app_key(app_id)))


def page(answer: object) -> RepositoryPage:
    assert isinstance(answer, RepositoryPage), answer
    return answer


def fault(answer: object) -> ServiceFault:
    assert isinstance(answer, ServiceFault), answer
    return answer


async def test_all_are_listed_page_by_page(github: GitHub, many: CredentialSecret, sandbox: SandboxServer) -> None:
    listed = page(await github.repositories.page(many, None, None))
    found, pages = list(listed.repositories), 1
    while listed.next is not None:
        listed = page(await github.repositories.page(many, listed.next, None))
        found, pages = [*found, *listed.repositories], pages + 1

    assert pages == 3
    assert len({each.external_id for each in found}) == len(found) == 250
    seventh = next(each for each in found if each.external_id == "5007")
    assert seventh == RemoteRepository(
        "5007",
        "acme-bot/repository-007",
        f"{sandbox.github_url}/acme-bot/repository-007",
        "main",
        private=False,
        archived=True,
    )
    assert listed.rate_limit is not None
    assert listed.rate_limit.remaining == 5000 - 3


async def test_a_page_that_has_not_changed_costs_no_quota(github: GitHub, many: CredentialSecret) -> None:
    first = page(await github.repositories.page(many, None, None))
    assert first.etag is not None
    assert first.rate_limit is not None

    again = await github.repositories.page(many, None, first.etag)

    assert again == PageUnchanged(first.rate_limit)


async def test_a_full_last_page_is_asked_for_whole_each_time(github: GitHub, sandbox: SandboxServer) -> None:
    """Its body stays what it was when another page comes after it, and so does its etag."""
    token = secrets.token_hex(8)
    repositories = [{"id": number + 1, "name": f"r{number}"} for number in range(100)]
    await sandbox.put_token(token, service="github", repositories=repositories)

    full = page(await github.repositories.page(TokenSecret(Secret(token)), None, None))

    assert (len(full.repositories), full.next, full.etag) == (100, None, None)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("revoked", FaultKind.CREDENTIAL_REFUSED),
        ("rate_limited", FaultKind.RATE_LIMITED),
        ("sso_required", FaultKind.ADMIN_REQUIRED),
        ("missing_scope", FaultKind.SCOPE_MISSING),
        ("server_error", FaultKind.SERVICE_ERROR),
        ("garbage_html", FaultKind.SERVICE_ERROR),
        ("wrong_type", FaultKind.SERVICE_ERROR),
        ("empty_object", FaultKind.SERVICE_ERROR),
    ],
)
async def test_a_refusal_is_classified_as_it_is_for_the_identity(
    behaviour: str, kind: FaultKind, github: GitHub, sandbox: SandboxServer
) -> None:
    token = secrets.token_hex(8)
    await sandbox.put_token(token, service="github", behaviour=behaviour)

    assert fault(await github.repositories.page(TokenSecret(Secret(token)), None, None)).kind is kind


async def test_a_malformed_token_is_not_sent(github: GitHub) -> None:
    found = fault(await github.repositories.page(TokenSecret(Secret("a\nb")), None, None))

    assert found.code == "malformed_token"


async def answered(http: HttpClient, body: object, link: Callable[[str], str] = lambda url: "") -> object:
    """What the first page is at a GitHub that answers like this; `link` is told its address."""

    async def listed(request: Request) -> Response:
        return Response(orjson.dumps(body), headers={"link": link(str(request.base_url).rstrip("/"))})

    async with serving(Starlette(routes=[Route("/user/repos", listed)])) as url:
        return await GitHub(http, url, "https://web.example", now).repositories.page(
            TokenSecret(Secret("anything")), None, None
        )


async def test_the_next_page_is_at_github_or_nowhere(http: HttpClient) -> None:
    following = page(await answered(http, [REPOSITORY], lambda url: f'<{url}/user/repos?page=2>; rel="next"'))
    assert following.next == "/user/repos?page=2"

    for elsewhere in ("https://evil.example/user/repos?page=2", "http://127.0.0.1:1/user/repos", "/user/repos?page=2"):
        found = fault(await answered(http, [REPOSITORY], lambda _: f'<{elsewhere}>; rel="next"'))  # noqa: B023 - called at once
        assert (found.kind, found.code) == (FaultKind.SERVICE_ERROR, "github_unexpected_answer")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "1"},
        {"id": True},
        {"id": 0},
        {"id": 1 << 63},
        {"full_name": None},
        {"full_name": "\x00"},
        {"private": "no"},
        {"archived": None},
    ],
)
async def test_one_that_cannot_be_read_spoils_the_page_rather_than_being_left_out(
    wrong: dict[str, Any], http: HttpClient
) -> None:
    found = fault(await answered(http, [REPOSITORY, REPOSITORY | {"id": 2} | wrong]))

    assert found.code == "github_unexpected_answer"


async def test_what_it_says_of_a_repository_is_cleaned(http: HttpClient) -> None:
    dirty = REPOSITORY | {"full_name": "ac\x00me/a\x1bpi", "html_url": "javascript:alert(1)", "default_branch": "\n"}

    (found,) = page(await answered(http, [dirty])).repositories

    assert found == RemoteRepository(
        "1", "acme/api", "https://web.example/acme/api", None, private=False, archived=False
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        (f'<{API}/user/repos?page=2>; rel="next", <{API}/user/repos?page=9>; rel="last"', "/user/repos?page=2"),
        (f'<{API}/user/repos?page=1>; rel="prev", <{API}/user/repos?page=3>; rel="next"', "/user/repos?page=3"),
        (f"<{API}/user/repos?a=1,2>; rel=next", "/user/repos?a=1,2"),
        (f'<{API}/user/repos?page=9>; rel="last"', None),
        ('<https://github.example/user/repos>; rel="next"', "fault"),
        ('<https://github.example/api/v3evil/user>; rel="next"', "fault"),
        ('<http://github.example/api/v3/user>; rel="next"', "fault"),
        ('<https://github.example:444/api/v3/user>; rel="next"', "fault"),
        ('<https://x@github.example/api/v3/user>; rel="next"', "fault"),
    ],
)
def test_links_are_read_as_github_writes_them(header: str, expected: str | None) -> None:
    found = next_path(HttpAnswer(200, {"link": header}, b"[]", 1), API)

    assert ("fault" if isinstance(found, ServiceFault) else found) == expected


@given(st.text(max_size=200) | st.from_regex(r'<[^>]{0,40}>; rel="next"', fullmatch=True))
def test_any_link_leads_below_the_api_or_nowhere(header: str) -> None:
    found = next_path(HttpAnswer(200, {"link": header}, b"[]", 1), API)

    assert found is None or isinstance(found, ServiceFault) or found.startswith("/")
