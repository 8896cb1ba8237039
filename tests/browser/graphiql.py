"""GraphiQL's page as its tests and the screenshots use it."""

import json
from typing import Any

from tests.browser.chromium import Page


async def open_graphiql(page: Page, url: str) -> None:
    """Until its editor shows the first example."""
    await page.goto(f"{url}/graphql")
    await page.until("document.querySelector('.graphiql-query-editor .view-line')")


async def run(page: Page, tab: str) -> None:
    """Choose the tab and press its button."""
    await choose(page, tab)
    await page.click("button[aria-label^='Execute query']")


async def choose(page: Page, tab: str) -> None:
    await page.click(f"button.graphiql-tab-button[title='{tab}']")
    await page.until(f"document.querySelector('.graphiql-tab-active')?.textContent.includes('{tab}')")


async def response(page: Page) -> Any:
    """What the response's editor shows, once it shows anything."""
    await page.until(f"{model('response.json')}.getValue()")
    return json.loads(await page.evaluate(f"{model('response.json')}.getValue()"))


def model(name: str) -> str:
    """JavaScript for what an editor holds: the newest GraphiQL's, where there was another one before."""
    return f"globalThis.__MONACO?.editor.getModels().findLast(model => model.uri.path.endsWith('{name}'))"
