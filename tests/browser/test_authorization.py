"""Authorizing a service in a real browser: a popup that tells its opener, and the page where there is no `returnTo`."""

import asyncio
import tempfile
from collections.abc import AsyncIterator

import pytest

from domain.entities.user import Role
from domain.key_ring import generate_key
from persistence import migrations
from tests.browser.accessibility import violations
from tests.browser.chromium import Page
from tests.gql.authorizing import authorizing_tether, begin, complete
from tests.gql.server import TetherServer
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


@pytest.fixture
async def server() -> AsyncIterator[TetherServer]:
    """Browsers may be sent on to the sandbox's front page, which plays the application."""
    with tempfile.TemporaryDirectory(prefix="tether-browser-") as folder:
        database_url = f"sqlite+aiosqlite:///{folder}/tether.db"
        await asyncio.to_thread(migrations.upgrade, database_url)
        async with (
            running_sandbox() as sandbox,
            authorizing_tether(
                database_url, sandbox, generate_key(development=True), TETHER_RETURN_TO=f"{sandbox.url}/"
            ) as running,
        ):
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


@pytest.mark.usefixtures("built")  # the checker comes with the front end's packages
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_that_shows_the_code_is_accessible(page: Page, server: TetherServer, scheme: str) -> None:
    client = await server.member(Role.ADMIN)
    await page.prefer(scheme)
    await page.goto(await begin(server, client, returnTo=None))
    await page.click("[value=authorize]")
    await page.until("document.querySelector('h1')?.textContent === 'One more step'")
    assert await violations(page) == []
