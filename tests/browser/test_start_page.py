"""The start page in a real browser, without scripts."""

import pytest

from tests.browser.accessibility import violations
from tests.browser.chromium import Page
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio


async def test_it_leads_to_graphiql_without_any_script(page: Page, sample: TetherServer) -> None:
    await page.without_scripts()
    await page.goto(sample.url)
    await page.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "GraphiQL"
    await page.press("Enter")
    await page.until("location.pathname === '/graphql'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_checker_finds_nothing_inaccessible(page: Page, sample: TetherServer, scheme: str) -> None:
    await page.prefer(scheme)
    await page.goto(sample.url)
    assert await violations(page) == []
