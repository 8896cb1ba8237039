"""A browser that comes back signed in: who began needs no code there, and nobody else's session helps anybody."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.entities.user import Role
from gql.sample import FOUNDER, SLUG
from tests.gql.authorizing import (
    POPUP_OPENER,
    RETURN_TO,
    Browser,
    a_browser,
    accepted_at_github,
    authorizing_tether,
    begin,
    complete,
    popup_message,
    waiting_token,
)
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, SigningIn
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ADA, OTHER = "ada-is-signed-in", "not-ada"
NODE = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { name status } } }"


@pytest.fixture
async def server(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """One that has a founder when it starts, so that it signs GraphiQL in."""
    async with running_tether(database_url, sandbox, encryption_key) as first:
        await first.token(SLUG, FOUNDER, Role.OWNER)
    async with authorizing_tether(database_url, sandbox, encryption_key) as running:
        for number, login in enumerate((ADA, OTHER)):
            await running.credential(account={"id": 71_000 + number, "login": login})
        yield running


@pytest.fixture
async def browser(server: TetherServer) -> AsyncIterator[Browser]:
    """The founder's, signed in at GraphiQL."""
    async with a_browser() as opened:
        await sign_in(opened, server)
        yield opened


@pytest.fixture
def founder(server: TetherServer, browser: Browser) -> Client:
    """Calls as the page in that browser does."""
    return page_in(browser, server)


async def sign_in(browser: Browser, server: TetherServer) -> httpx2.Response:
    return await browser.get(f"{server.url}/graphql", Accept="text/html")


def page_in(browser: Browser, server: TetherServer) -> Client:
    return Client(server.http, cookie=f"{SESSION}={browser.http.cookies.get(SESSION)}")


async def test_who_began_and_is_signed_in_is_done_when_the_browser_comes_back(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    end = await browser.authorize(await begin(server, founder, name="Code"), ADA)

    assert end.told.keys() == {"connection"}
    node = await founder.data(NODE, id=end.told["connection"])
    assert node == {"node": {"name": "Code", "status": "ACTIVE"}}
    assert await server.rows("authorization_flows") == []


async def test_a_popup_tells_its_opener_the_connection(server: TetherServer, founder: Client, browser: Browser) -> None:
    end = await browser.authorize(await begin(server, founder, popup=True), ADA)

    message = popup_message(end.response.text)
    [connection] = await server.rows("service_connections")
    connection_id = f"conn_{connection['id']}"
    assert message["origin"] == POPUP_OPENER
    assert message["data"] == {"type": "tether:authorization", "connectionId": connection_id}
    assert f'href="{RETURN_TO}?connection={connection_id}"' in end.response.text


async def test_without_return_to_a_page_says_what_is_connected_and_shows_no_code(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    end = await browser.authorize(await begin(server, founder, returnTo=None, name="<b>Code & co"), ADA)

    assert end.response.status_code == 200
    assert "<strong>&lt;b&gt;Code &amp; co</strong> is connected." in end.response.text
    assert "completeAuthorization" not in end.response.text


async def test_a_completion_that_fails_ends_at_return_to_with_a_code_and_words(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    first = await browser.authorize(await begin(server, founder), ADA)
    again = await begin(server, founder, connectionId=first.told["connection"])
    end = await browser.authorize(again, OTHER)

    assert end.error == "account_mismatch"
    assert "Another account" in end.told["error_description"]
    assert await server.rows("authorization_flows") == []


async def test_a_service_that_fails_at_the_completion_is_told_like_one_that_fails_before(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    await server.credential(account={"id": 70_009, "login": "failing"}, behaviour="server_error")
    end = await browser.authorize(await begin(server, founder), "failing")
    assert end.error == "service_unreachable"
    assert await server.rows("service_connections") == []


# Nobody else's session


async def test_a_link_sent_to_somebody_who_is_signed_in_as_another_completes_nothing(
    server: TetherServer, browser: Browser
) -> None:
    """The sender has begun it, the founder goes the whole way, and has a code that neither of the two can use."""
    sender, founder = await server.member(Role.ADMIN), page_in(browser, server)
    end = await browser.authorize(await begin(server, sender), ADA)
    token = await waiting_token(server, end.code)

    assert await server.rows("service_connections") == []
    error = await founder.user_error("completeAuthorization", code=end.code)
    assert error["code"] == "INVALID_INPUT"
    assert not await accepted_at_github(server, token)


async def test_another_persons_session_in_the_browser_of_who_began_changes_nothing_for_either(
    server: TetherServer, browser: Browser
) -> None:
    began = await server.member(Role.ADMIN)
    end = await browser.authorize(await begin(server, began), ADA)

    assert await complete(began, end.code, "status") == {"status": "ACTIVE"}
    [connection] = await server.rows("service_connections")
    [user] = [user for user in await server.rows("users") if user["email"] == "admin@acme.example"]
    assert connection["created_by"] == user["id"]


async def test_the_same_person_with_a_key_still_needs_the_code(server: TetherServer, browser: Browser) -> None:
    key = server.client(await server.token(SLUG, FOUNDER, Role.ADMIN))
    end = await browser.authorize(await begin(server, key), ADA)
    assert await complete(key, end.code, "status") == {"status": "ACTIVE"}


async def test_another_session_of_who_began_is_as_good(server: TetherServer, founder: Client) -> None:
    async with a_browser() as second:
        await sign_in(second, server)
        end = await second.authorize(await begin(server, founder, name="Code"), ADA)
    assert end.told.keys() == {"connection"}


async def test_a_browser_that_has_signed_out_gets_a_code(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    link = await begin(server, founder)
    await browser.http.post(f"{server.url}/sign-out", headers=CSRF)
    end = await browser.authorize(link, ADA)
    await sign_in_again(browser, server)
    assert await complete(page_in(browser, server), end.code, "status") == {"status": "ACTIVE"}


async def sign_in_again(browser: Browser, server: TetherServer) -> None:
    """By the built-in provider, since this browser stays signed out."""
    await SigningIn(browser.http, server).sign_in()


async def test_a_session_that_has_ended_is_none(
    server: TetherServer, founder: Client, browser: Browser, database_url: str
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, founder)), ADA)
    secret = browser.http.cookies.get(SESSION)
    assert secret is not None
    await server.tether.sessions.end(secret)
    assert (await browser.arrive(callback)).code
    assert await server.rows("service_connections") == []


async def test_a_forged_session_is_none(server: TetherServer, founder: Client) -> None:
    for forged in ("", "signed-out", "0" * 43, "0" * 64):
        async with a_browser() as stranger:
            stranger.http.cookies.set(SESSION, forged)
            assert (await stranger.authorize(await begin(server, founder), ADA)).code
