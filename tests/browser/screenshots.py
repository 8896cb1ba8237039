"""`make screenshots`: the pictures in docs/images, taken of what `make serve` gives, so that they stay true."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from gql.sample import FOUNDER, SLUG
from tests.browser.chromium import NAMES, Chromium, Page, find_chromium, running_chromium
from tests.browser.graphiql import open_graphiql, response, run
from tests.browser.sample import serving_sample
from tests.gql.server import TetherServer

IMAGES: Final = Path(__file__).parent.parent.parent / "docs/images"


async def take_screenshots(program: str) -> None:
    async with serving_sample() as server, running_chromium(program) as chromium:
        await _graphiql(chromium, server, "graphiql.png", dark=False)
        await _graphiql(chromium, server, "graphiql-dark.png", dark=True)
        async with chromium.page(width=1000, height=920) as page:
            await page.goto(server.url)
            await _take(page, "start.png")


async def _graphiql(chromium: Chromium, server: TetherServer, name: str, *, dark: bool) -> None:
    """The first example with its answer, beside what happens to a connection meanwhile."""
    client = server.client(await server.token(SLUG, FOUNDER))
    async with chromium.page(width=1440, height=860, dark=dark) as page:
        await open_graphiql(page, server.url)
        await page.until("document.querySelector('.live-events')")
        await run(page, "Acme")
        await response(page)
        token = "sandbox-github-few-scopes"
        connection = await server.connect(client, token=token, name="Website", selection="id")
        await page.until("document.querySelector('.live-events')?.textContent.includes('Website')")
        await client.mutate("deleteConnection", "deletedConnectionId", connectionId=connection["id"])
        await page.until("document.querySelector('.live-events')?.textContent.includes('DELETED')")
        await page.evaluate("document.activeElement.blur()")
        await _take(page, name)
        assert page.problems == [], page.problems


async def _take(page: Page, name: str) -> None:
    image = await page.screenshot()
    (IMAGES / name).write_bytes(image)
    sys.stdout.write(f"docs/images/{name}: {len(image) // 1024} KiB\n")


if __name__ == "__main__":
    found = find_chromium()
    if found is None:
        sys.exit(f"No Chromium: none of {', '.join(NAMES)} is installed. On Debian: apt install chromium")
    asyncio.run(take_screenshots(found))
