"""What a cookie opens, and for whom: a page of this server that sends the header, and nobody else's page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import InvalidStatus

from domain.entities.user import Role
from gql.development import SAMPLE_ISSUER
from gql.http.own_pages import OwnPages
from gql.sample import FOUNDER, SLUG
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, WHO, SigningIn, a_browser_at
from tests.gql.waiting import eventually
from tests.gql.web_socket import Socket, open_socket
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

FOLLOW = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { sequence } }"


@pytest.fixture
async def browser(server: TetherServer) -> AsyncIterator[SigningIn]:
    """The founder's, signed in."""
    await server.token(SLUG, FOUNDER, Role.OWNER)
    async with a_browser_at(server) as opened:
        await opened.sign_in()
        yield opened


@asynccontextmanager
async def socket_of(browser: SigningIn, origin: str | None = None) -> AsyncIterator[Socket]:
    """As a page of that origin opens it; by default one of the server's own."""
    headers = {"Cookie": f"{SESSION}={browser.secret}", "Origin": origin or browser.server.url}
    async with open_socket(browser.server.ws_url, headers=headers) as opened:
        yield opened


# Requests


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Tether-CSRF": ""},
        {"X-Tether-CSRF": "0"},
        {"Origin": "https://elsewhere.example", **CSRF},
        {"Origin": "null", **CSRF},
        {"Sec-Fetch-Site": "cross-site", **CSRF},
        {"Sec-Fetch-Site": "same-site", **CSRF},
    ],
)
async def test_a_cookie_alone_runs_no_operation(
    server: TetherServer, browser: SigningIn, headers: dict[str, str]
) -> None:
    answer = await browser.http.post("/graphql", json=WHO, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "CSRF_REFUSED"
    assert answer.headers["content-type"].startswith("application/json")


async def test_an_origin_that_begins_like_ours_is_another(server: TetherServer, browser: SigningIn) -> None:
    for origin in (f"{server.url}.elsewhere.example", f"{server.url}0", server.url.replace("http", "https")):
        answer = await browser.http.post("/graphql", json=WHO, headers={**CSRF, "Origin": origin})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://tether.example.com", "https://tether.example.com"),
        ("https://Tether.Example.com:443", "https://tether.example.com"),
        ("https://tether.example.com:8443/tether", "https://tether.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_our_origin_is_what_browsers_say_of_our_address(public_url: str, origin: str) -> None:
    assert OwnPages(public_url, development=False).origin == origin


async def test_a_form_cant_send_an_operation(browser: SigningIn) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await browser.http.post("/graphql", content=b"{}", headers={"Content-Type": media_type})
        assert answer.status_code in {403, 415}


async def test_no_other_origin_is_let_send_the_header(server: TetherServer) -> None:
    """What a browser asks before a script of another origin may set it."""
    asked = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-tether-csrf",
    }
    answer = await server.http.options("/graphql", headers=asked)
    assert not any(name.startswith("access-control-") for name in answer.headers)


async def test_with_the_header_a_page_asks_as_who_is_signed_in(server: TetherServer, browser: SigningIn) -> None:
    assert await browser.who() == FOUNDER
    bare = await browser.http.post("/graphql", json=WHO, headers=CSRF)  # a browser that says nothing of itself
    assert bare.json()["data"] == {"viewer": {"user": {"email": FOUNDER}}}


async def test_a_token_counts_more_than_the_cookie(server: TetherServer, browser: SigningIn) -> None:
    key = await server.token(SLUG, "viewer@acme.example", Role.VIEWER)
    answer = await browser.http.post("/graphql", json=WHO, headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["data"] == {"viewer": {"user": {"email": "viewer@acme.example"}}}
    wrong = await browser.http.post("/graphql", json=WHO, headers={"Authorization": "Bearer wrong", **CSRF})
    assert wrong.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_who_is_signed_in_may_what_their_role_may(server: TetherServer, browser: SigningIn) -> None:
    given = {"organizationId": await server.organization_id(), "name": "Acme & Co"}
    query = """mutation ($input: UpdateOrganizationInput!) {
      updateOrganization(input: $input) { organization { name } userErrors { message } } }"""
    answer = await browser.ask({"query": query, "variables": {"input": given}})
    assert answer.data["updateOrganization"] == {"organization": {"name": "Acme & Co"}, "userErrors": []}


# Sockets


async def test_a_page_of_ours_opens_a_socket_as_who_is_signed_in(browser: SigningIn) -> None:
    async with socket_of(browser) as socket:
        await socket.init()
        asked = await socket.subscribe(WHO["query"])
        assert await asked.next() == {"viewer": {"user": {"email": FOUNDER}}}


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1"])
async def test_a_page_of_another_origin_doesnt(browser: SigningIn, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket_of(browser, origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_socket_without_an_origin_doesnt_live_by_a_cookie(browser: SigningIn) -> None:
    async with open_socket(browser.server.ws_url, headers={"Cookie": f"{SESSION}={browser.secret}"}) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.close_code() == 4403


async def test_behind_a_proxy_that_names_us_otherwise_our_pages_are_those_of_the_public_url(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    origin = "https://tether.example.com"
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_PUBLIC_URL=origin) as server:
        await server.token(SLUG, FOUNDER)
        async with server.tether.units_of_work.reading_everywhere() as unit:
            founder = await unit.users.find_by_email(FOUNDER)
        assert founder is not None
        begun = await server.tether.sessions.begin(founder, SAMPLE_ISSUER)
        cookie = f"__Host-{SESSION}={begun.secret.reveal()}"
        async with open_socket(server.ws_url, headers={"Cookie": cookie, "Origin": origin}) as socket:
            await socket.init()
            asked = await socket.subscribe(WHO["query"])
            assert await asked.next() == {"viewer": {"user": {"email": FOUNDER}}}


async def test_pages_of_the_host_that_was_called_open_sockets_with_a_token_though_it_is_another_name_of_ours(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(
        sqlite_url, sandbox, encryption_key, TETHER_PUBLIC_URL="https://tether.example.com"
    ) as server:
        token = await server.token()
        async with open_socket(server.ws_url, headers={"Origin": server.url}) as socket:
            await socket.init({"authorization": f"Bearer {token}"})
            asked = await socket.subscribe(WHO["query"])
            assert await asked.next() == {"viewer": {"user": {"email": "ada@acme.example"}}}
        headers = {"Origin": server.url, "Cookie": f"__Host-{SESSION}=whatever"}
        async with open_socket(server.ws_url, headers=headers) as socket:
            await socket.send({"type": "connection_init"})
            assert await socket.close_code() == 4403


async def test_a_token_counts_more_on_a_socket_too(server: TetherServer, browser: SigningIn) -> None:
    key = await server.token(SLUG, "viewer@acme.example", Role.VIEWER)
    async with socket_of(browser) as socket:
        await socket.init({"authorization": f"Bearer {key}"})
        asked = await socket.subscribe(WHO["query"])
        assert await asked.next() == {"viewer": {"user": {"email": "viewer@acme.example"}}}


@pytest.mark.parametrize("everywhere", [False, True])
async def test_open_sockets_end_with_their_session_in_every_process(
    server: TetherServer,
    browser: SigningIn,
    database_url: str,
    sandbox: SandboxServer,
    encryption_key: str,
    everywhere: bool,
) -> None:
    """One that does nothing and one that follows a feed, here and in another process, within five seconds."""
    organization_id = await server.organization_id()
    cookie = {"Cookie": f"{SESSION}={browser.secret}"}
    async with (
        running_tether(database_url, sandbox, encryption_key, TETHER_PUBLIC_URL=server.url) as elsewhere,
        socket_of(browser) as idle,
        socket_of(browser) as following,
        open_socket(elsewhere.ws_url, headers={**cookie, "Origin": elsewhere.url}) as away,
    ):
        for socket in (idle, following, away):
            await socket.init()
        await following.subscribe(FOLLOW, id=organization_id)
        await away.subscribe(FOLLOW, id=organization_id)
        assert (await browser.sign_out(everywhere=everywhere)).status_code == 204

        async def closed() -> bool:
            return all(socket.closed.is_set() for socket in (idle, following, away))

        await eventually(closed, within_seconds=5)
        assert [await socket.close_code() for socket in (idle, following, away)] == [4403] * 3


async def test_an_operation_on_a_socket_of_an_ended_session_isnt_run(browser: SigningIn) -> None:
    async with socket_of(browser) as socket:
        await socket.init()
        await browser.sign_out()
        await socket.subscribe(WHO["query"])
        assert await socket.close_code() == 4403
