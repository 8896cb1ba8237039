"""A browser that comes back signed in: who began needs no code there, and nobody else's session helps anybody.

The one session that there is so far is GraphiQL's in development.
"""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import httpx2
import pytest
from sqlalchemy import update

from domain.entities.user import Role
from gql.http.sign_in import CALLBACK_COOKIE, COOKIE
from gql.sample import FOUNDER, SLUG
from persistence.tables import api_keys
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
    query_of,
    waiting_token,
)
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ADA, OTHER = "ada-is-signed-in", "not-ada"
NODE = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { name status } } }"
WHO = {"query": "{ viewer { user { email } } }"}


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
def founder(server: TetherServer) -> Client:
    """Calls with the key that GraphiQL is signed in with."""
    return server.client(key_of(server))


async def sign_in(browser: Browser, server: TetherServer) -> httpx2.Response:
    return await browser.get(f"{server.url}/graphql", Accept="text/html")


def key_of(server: TetherServer) -> str:
    token = server.tether.development_token
    assert token is not None
    return token.reveal()


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
    sender, founder = await server.member(Role.ADMIN), server.client(key_of(server))
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


async def test_the_same_person_with_another_key_still_needs_the_code(server: TetherServer, browser: Browser) -> None:
    other_key = server.client(await server.token(SLUG, FOUNDER, Role.ADMIN))
    end = await browser.authorize(await begin(server, other_key), ADA)
    assert await complete(other_key, end.code, "status") == {"status": "ACTIVE"}


async def test_a_browser_that_has_signed_out_gets_a_code(
    server: TetherServer, founder: Client, browser: Browser
) -> None:
    await browser.http.delete(f"{server.url}/graphql/session")
    end = await browser.authorize(await begin(server, founder), ADA)
    assert await complete(founder, end.code, "status") == {"status": "ACTIVE"}


async def test_a_session_ends_with_its_key(server: TetherServer, founder: Client, browser: Browser) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, founder)), ADA)
    await server.alter(update(api_keys).values(revoked_at=server.tether.clock()))
    cookie = {"Cookie": f"{COOKIE}={key_of(server)}"}

    async def refused() -> bool:
        answer = await server.http.post("/graphql", json=WHO, headers=cookie)
        return "errors" in answer.json()

    await eventually(refused)  # keys are remembered for a moment
    assert (await browser.arrive(callback)).code
    assert await server.rows("service_connections") == []


@pytest.mark.parametrize("host", ["tether.example", "127.0.0.1.nip.example"])
async def test_a_session_counts_by_a_name_of_this_machine_only(
    server: TetherServer, founder: Client, browser: Browser, host: str
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, founder)), ADA)
    end = query_of((await browser.get(callback, Host=host)).headers["location"])
    assert end.keys() == {"code"}


async def test_a_forged_session_is_none(server: TetherServer, founder: Client) -> None:
    for forged in ("", "signed-out", "0" * 64, key_of(server)):
        async with a_browser() as stranger:
            stranger.http.cookies.set(CALLBACK_COOKIE, forged, path="/oauth/callback")
            assert (await stranger.authorize(await begin(server, founder), ADA)).code


# What the callback's cookie is worth elsewhere


async def test_the_callbacks_cookie_holds_no_key_and_goes_to_the_callback_only(server: TetherServer) -> None:
    async with a_browser() as opened:
        cookies = [SimpleCookie(each) for each in (await sign_in(opened, server)).headers.get_list("set-cookie")]
    [kept], [proof] = ([cookie[name] for cookie in cookies if name in cookie] for name in (COOKIE, CALLBACK_COOKIE))
    assert (kept["path"], kept["samesite"], kept["httponly"]) == ("/graphql", "strict", True)
    assert (proof["path"], proof["samesite"], proof["httponly"]) == ("/oauth/callback", "lax", True)
    assert kept.value == key_of(server)
    assert kept.value not in proof.value


async def test_nobody_is_signed_in_at_graphql_by_the_callbacks_cookie(server: TetherServer, browser: Browser) -> None:
    proof = browser.http.cookies.get(CALLBACK_COOKIE)
    assert proof
    for name in (CALLBACK_COOKIE, COOKIE):
        answer = await server.http.post("/graphql", json=WHO, headers={"Cookie": f"{name}={proof}"})
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_no_other_site_posts_operations_in_the_name_of_who_is_signed_in(
    server: TetherServer, browser: Browser
) -> None:
    """Even by a browser that would send the strict cookie along."""
    signed_in = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)}
    own = await server.http.post("/graphql", json=WHO, headers={**signed_in, "Origin": server.url})
    assert own.json()["data"] == {"viewer": {"user": {"email": FOUNDER}}}
    for origin in ("https://elsewhere.example", "null", f"{server.url}.elsewhere.example"):
        answer = await server.http.post("/graphql", json=WHO, headers={**signed_in, "Origin": origin})
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
