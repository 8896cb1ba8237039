"""Authorizing a service in a real browser: a popup that tells its opener, the page where there is no `returnTo`, and
the whole way for somebody who is signed in at GraphiQL.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator

import pytest

from domain.entities.user import Role
from domain.key_ring import generate_key
from gql.sample import FOUNDER, SLUG
from persistence import migrations
from tests.browser.accessibility import violations
from tests.browser.chromium import Page
from tests.browser.graphiql import open_graphiql
from tests.gql.authorizing import authorizing_tether, begin, complete
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import running_sandbox

pytestmark = pytest.mark.anyio

OPENER = """
addEventListener("message", event => { window.told = { origin: event.origin, data: event.data } });
const opening = document.createElement("button");
opening.textContent = "Connect GitHub";
opening.onclick = () => { window.popup = open(ADDRESS, "connect", "popup,width=600,height=700") };
document.body.replaceChildren(opening);
"""
AGREE = """(() => {
  try { const agree = popup.document.querySelector("[value=authorize]"); agree?.click(); return Boolean(agree) }
  catch { return false }
})()"""


BEGIN = """fetch("/graphql", {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Tether-CSRF": "1" },
  body: JSON.stringify({
    query: "mutation ($input: AuthorizeConnectionInput!) { authorizeConnection(input: $input) { authorizationUrl } }",
    variables: { input: INPUT },
  }),
}).then(response => response.json()).then(answer => answer.data.authorizeConnection.authorizationUrl)"""


@pytest.fixture
async def server() -> AsyncIterator[TetherServer]:
    """It signs GraphiQL in. Browsers may be sent on to the sandbox's front page, which plays the application."""
    with tempfile.TemporaryDirectory(prefix="tether-browser-") as folder:
        database_url = f"sqlite+aiosqlite:///{folder}/tether.db"
        await asyncio.to_thread(migrations.upgrade, database_url)
        key = generate_key(development=True)
        async with running_sandbox() as sandbox:
            async with running_tether(database_url, sandbox, key) as first:
                await first.token(SLUG, FOUNDER, Role.OWNER)
            returning = {"TETHER_RETURN_TO": f"{sandbox.url}/"}
            async with authorizing_tether(database_url, sandbox, key, **returning) as running:
                yield running


async def test_a_popup_tells_its_opener_the_code_and_closes(page: Page, server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    url = await begin(server, client, returnTo=f"{server.sandbox.url}/", popup=True)
    await page.goto(server.sandbox.url)
    await page.evaluate(OPENER.replace("ADDRESS", f'"{url}"'))
    await page.click("button")
    await page.until(AGREE)
    await page.until("window.told && popup.closed")

    told = await page.evaluate("window.told")
    assert told["origin"] == server.url
    assert told["data"].pop("type") == "tether:authorization"
    assert await complete(client, told["data"]["code"], "status") == {"status": "ACTIVE"}


async def test_without_an_opener_the_popup_goes_on_by_itself(page: Page, server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    await page.goto(await begin(server, client, returnTo=f"{server.sandbox.url}/", popup=True))
    await page.click("[value=authorize]")
    await page.until(f"location.href.startsWith('{server.sandbox.url}/?code=')")
    code = await page.evaluate("new URLSearchParams(location.search).get('code')")
    assert await complete(client, code, "status") == {"status": "ACTIVE"}


@pytest.mark.usefixtures("built")
async def test_who_is_signed_in_at_graphiql_connects_without_a_code(page: Page, server: TetherServer) -> None:
    await open_graphiql(page, server.url)
    await page.goto(await begin_signed_in(page, server, name="From the browser"))
    await page.click("[value=authorize]")
    await page.until("document.querySelector('h1')?.textContent === 'Connected'")

    assert "From the browser is connected." in await page.evaluate("document.body.innerText")
    [connection] = await server.rows("service_connections")
    assert connection["status"] == "ACTIVE"
    assert await violations(page) == []


@pytest.mark.usefixtures("built")
async def test_who_is_signed_in_at_graphiql_comes_back_to_the_application_with_the_connection(
    page: Page, server: TetherServer
) -> None:
    await open_graphiql(page, server.url)
    await page.goto(await begin_signed_in(page, server, returnTo=f"{server.sandbox.url}/"))
    await page.click("[value=authorize]")
    await page.until(f"location.href.startsWith('{server.sandbox.url}/?connection=conn_')")

    [connection] = await server.rows("service_connections")
    arrived = await page.evaluate("new URLSearchParams(location.search).get('connection')")
    assert (arrived, connection["status"]) == (f"conn_{connection['id']}", "ACTIVE")


async def begin_signed_in(page: Page, server: TetherServer, **members: str) -> str:
    """authorizeConnection as the page itself calls it, by its cookie; the link."""
    given = {"organizationId": await server.organization_id(), "service": "github", **members}
    url: str = await page.evaluate(BEGIN.replace("INPUT", json.dumps(given)))
    return url


@pytest.mark.usefixtures("built")  # the checker comes with the front end's packages
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_that_shows_the_code_is_accessible(page: Page, server: TetherServer, scheme: str) -> None:
    client = await server.member(Role.ADMIN)
    await page.prefer(scheme)
    await page.goto(await begin(server, client, returnTo=None))
    await page.click("[value=authorize]")
    await page.until("document.querySelector('h1')?.textContent === 'One more step'")
    assert await violations(page) == []
