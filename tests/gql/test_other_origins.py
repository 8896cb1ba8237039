"""Pages of other origins: those that the operator names may ask with a token, over HTTP and by socket; no other may."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from domain.entities.user import Role
from domain.key_ring import generate_key
from gql.settings import Settings, SettingsError
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, WHO, a_browser_at
from tests.gql.web_socket import open_socket
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

APP = "https://app.example.com"
OTHERS = ["https://elsewhere.example", "https://app.example.com.elsewhere.example", "http://app.example.com", "null"]


@pytest.fixture(scope="module")
async def sharing(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    file = tmp_path_factory.mktemp("sharing") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    url = f"sqlite+aiosqlite:///{file}"
    origins = f"{APP}, http://localhost:3000"
    async with running_tether(url, sandbox, encryption_key, TETHER_CORS_ORIGINS=origins) as running:
        yield running


def cors_headers(response: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


async def preflight(server: TetherServer, origin: str, path: str = "/graphql") -> httpx2.Response:
    """What a browser asks before a page of that origin may send an operation."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return await server.http.options(path, headers=asked)


async def test_a_page_of_an_origin_that_is_named_may_ask_with_a_token(sharing: TetherServer) -> None:
    allowed = await preflight(sharing, APP)
    assert (allowed.status_code, allowed.headers["vary"]) == (204, "Origin")
    assert allowed.headers["access-control-allow-origin"] == APP
    assert allowed.headers["access-control-allow-methods"] == "POST"
    assert allowed.headers["access-control-max-age"] == "7200"
    headers = {name.strip().lower() for name in allowed.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "last-event-id", "x-tether-csrf"} <= headers

    token = (await sharing.member(Role.OWNER)).token
    answer = await sharing.http.post("/graphql", json=WHO, headers={"Origin": APP, "Authorization": f"Bearer {token}"})
    assert answer.json()["data"] == {"viewer": {"user": {"email": "owner@acme.example"}}}
    assert answer.headers["access-control-allow-origin"] == APP
    assert set(answer.headers["vary"].split(", ")) == {"Accept", "Origin"}
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("body", ["{", "null", '{"query": "{ nonsense }"}'])
async def test_such_a_page_can_read_what_is_wrong(sharing: TetherServer, body: str) -> None:
    answer = await sharing.http.post(
        "/graphql", content=body, headers={"Origin": APP, "Content-Type": "application/json"}
    )
    assert answer.json()["errors"]
    assert answer.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("origin", OTHERS)
async def test_no_other_origin_may(sharing: TetherServer, origin: str) -> None:
    refused = await preflight(sharing, origin)
    assert (refused.status_code, cors_headers(refused)) == (405, {})
    assert "Origin" in refused.headers["vary"]
    answer = await sharing.http.post("/graphql", json=WHO, headers={"Origin": origin})
    assert cors_headers(answer) == {}


async def test_no_cookie_counts_from_there_and_browsers_are_never_told_to_send_one(sharing: TetherServer) -> None:
    await sharing.token()
    async with a_browser_at(sharing) as browser:
        await browser.sign_in("ada@acme.example")
        answer = await browser.http.post("/graphql", json=WHO, headers={"Origin": APP, **CSRF})
        assert answer.json()["errors"][0]["extensions"]["code"] == "CSRF_REFUSED"
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-credentials" not in (await preflight(sharing, APP)).headers

        headers = {"Cookie": f"{SESSION}={browser.secret}", "Origin": APP}
        async with open_socket(sharing.ws_url, headers=headers) as socket:
            await socket.send({"type": "connection_init"})
            assert await socket.close_code() == 4403


async def test_only_the_graphql_endpoint_is_shared(sharing: TetherServer) -> None:
    for path in ("/", "/livez", "/sign-in", "/graphiql/style.css", "/metrics"):
        assert cors_headers(await preflight(sharing, APP, path)) == {}
        assert cors_headers(await sharing.http.get(path, headers={"Origin": APP})) == {}


async def test_a_page_there_opens_a_socket_with_a_token(sharing: TetherServer) -> None:
    token = await sharing.token()
    async with open_socket(sharing.ws_url, headers={"Origin": APP}) as socket:
        await socket.init({"authorization": f"Bearer {token}"})
        asked = await socket.subscribe(WHO["query"])
        assert await asked.next() == {"viewer": {"user": {"email": "ada@acme.example"}}}


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_page_elsewhere_opens_none(sharing: TetherServer, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(sharing.ws_url, headers={"Origin": origin}):
            pass
    assert refused.value.response.status_code == 403


async def test_by_default_no_origin_may(shared_server: TetherServer) -> None:
    answer = await preflight(shared_server, APP)
    assert (cors_headers(answer), answer.headers.get("vary")) == ({}, "Accept")


@pytest.mark.parametrize(
    ("origins", "told"),
    [
        ("*", "Name each origin: * would let every page ask."),
        ("app.example.com", "Write an address such as https://host.example.com/path"),
        ("https://app.example.com/start", "Write origins alone, such as https://app.example.com, without the path"),
        ("https://app.example.com/", "Write https://app.example.com, as browsers do, not https://app.example.com/."),
        ("https://App.example.com", "Write https://app.example.com, as browsers do"),
        ("https://app.example.com:443", "Write https://app.example.com, as browsers do"),
        ("https://a.example, http://b.example", "in production, http://b.example could be"),
        ("null", "Write an address"),
    ],
)
def test_what_is_no_origin_is_told_at_the_start(origins: str, told: str) -> None:
    given = {
        "TETHER_DATABASE_URL": "sqlite+aiosqlite:///tether.db",
        "TETHER_ENCRYPTION_KEY": generate_key(),
        "TETHER_PUBLIC_URL": "https://tether.example",
        "TETHER_CORS_ORIGINS": origins,
    }
    with pytest.raises(SettingsError) as wrong:
        Settings.from_environment(given)
    [problem] = [line for line in str(wrong.value).splitlines() if "TETHER_CORS_ORIGINS" in line]
    assert told in problem
