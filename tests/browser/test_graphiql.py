"""GraphiQL in a real browser that reaches no other host, against the real application."""

import json
from typing import Any

import pytest

from gql.sample import FOUNDER, SLUG
from gql.schema import build_schema
from tests.browser.accessibility import violations
from tests.browser.chromium import Chromium, Page
from tests.browser.graphiql import choose, model, open_graphiql, response, run
from tests.browser.sample import serving_sample
from tests.gql.server import TetherServer
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_the_examples_are_ready_in_tabs_and_the_first_shows_the_sample(page: Page, sample: TetherServer) -> None:
    await open_graphiql(page, sample.url)

    tabs = await page.evaluate("[...document.querySelectorAll('.graphiql-tab-button')].map(tab => tab.title)")
    assert tabs == ["Acme", "Connect", "Watch"]
    assert await page.evaluate("document.getElementById('person').textContent") == "Acme Founder, OWNER of acme"

    await run(page, "Acme")
    organization = (await response(page))["data"]["organization"]
    assert {"GitHub", "Slack"} <= {node["name"] for node in organization["connections"]["nodes"]}

    await choose(page, "Connect")
    variables = json.loads(await page.evaluate(f"{model('variables.json')}.getValue()"))
    ids = {node["id"] for node in organization["connections"]["nodes"]}
    assert variables["organizationId"] == organization["id"]
    assert variables["connectionId"] in ids


async def test_an_event_from_outside_shows_in_the_subscription_and_beside_it(page: Page, sample: TetherServer) -> None:
    client = sample.client(await sample.token(SLUG, FOUNDER))
    connection = await sample.connect(client, name="Watched from outside")
    await open_graphiql(page, sample.url)
    await run(page, "Watch")

    async def seen() -> Any:
        await client.mutate("checkConnectionHealth", "healthCheck { id }", connectionId=connection["id"])
        return await page.evaluate(f"{model('response.json')}.getValue()")

    await eventually(seen)  # neither says from when on it listens
    event = (await response(page))["data"]["connectionEvents"]
    assert event["type"] == "HEALTH_CHECKED"
    assert event["connection"] == {"name": "Watched from outside", "status": "ACTIVE"}
    await page.until("document.querySelector('.live-events')?.textContent.includes('Watched from outside')")


async def test_signing_out_lasts_until_somebody_signs_in_again(page: Page, sample: TetherServer) -> None:
    person = "document.getElementById('person').textContent"
    dialog = "document.getElementById('sign-in').open"
    await open_graphiql(page, sample.url)
    await run(page, "Acme")
    await response(page)

    await page.click("#session")
    await page.until(f"{person} === 'Not signed in'")
    await page.until(f"{model('response.json')}.getValue() === ''")  # what the person saw is gone
    await page.goto(f"{sample.url}/graphql")
    await page.until(dialog)

    assert await page.evaluate("document.activeElement.id") == "sign-in-account"
    await page.press("Enter")
    await page.until("document.title.startsWith('Who are you today?')")
    await page.click(f"button[value='{FOUNDER}']")
    await page.until("location.pathname === '/graphql'")
    await page.until(f"{person}.startsWith('Acme Founder') && !{dialog}")
    await page.goto(f"{sample.url}/graphql")
    await page.until(f"{person}.startsWith('Acme Founder')")


async def test_what_somebody_ran_is_in_the_history_until_they_sign_out(page: Page, sample: TetherServer) -> None:
    kept = "[...document.querySelectorAll('.graphiql-history-item-label')].map(item => item.textContent)"
    await open_graphiql(page, sample.url)
    await run(page, "Acme")
    await response(page)
    await page.click("button[aria-label='Show History']")
    await page.until(f"{kept}.includes('Acme')")
    [[rule, *places]] = await violations(page)  # GraphiQL calls each of them "Set active"
    assert rule == "label-content-name-mismatch"
    assert all(".graphiql-history-item-label" in place for place in places)
    assert await page.evaluate("({...localStorage})") == {}

    await page.click("#session")
    await page.until("document.getElementById('person').textContent === 'Not signed in'")
    await page.click("button[aria-label='Show History']")
    await page.until("document.querySelector('.graphiql-history')")
    assert await page.evaluate(kept) == []


async def test_where_nobody_can_say_who_is_signed_in_it_says_why(built: None, chromium: Chromium) -> None:
    async with serving_sample(TETHER_MAX_COST="1") as server, chromium.page() as page:
        await page.goto(f"{server.url}/graphql")
        await page.until("document.getElementById('sign-in').open")
        told = await page.evaluate("document.getElementById('sign-in-problem').textContent")
        assert told.startswith("This operation costs")


async def test_in_production_it_asks_for_a_key_and_keeps_it_nowhere(production: TetherServer, page: Page) -> None:
    key = await production.token(SLUG, FOUNDER)
    await page.goto(f"{production.url}/graphql")
    await page.until("document.getElementById('sign-in').matches(':modal')")
    assert await page.evaluate("document.activeElement.labels[0].textContent") == "API key"
    assert not await page.evaluate("document.getElementById('sign-in-account').checkVisibility()")

    await page.type("tether_nobody")
    await page.press("Enter")
    await page.until("document.getElementById('sign-in-problem').textContent")
    await page.evaluate("document.activeElement.select()")
    await page.type(key)
    await page.press("Enter")
    await page.until("!document.getElementById('sign-in').open")
    await page.until("document.querySelector('.graphiql-query-editor .view-line')")
    await run(page, "Acme")
    assert (await response(page))["data"]["organization"]["id"] == await production.organization_id()

    stored = await page.evaluate(
        "indexedDB.databases().then(databases => JSON.stringify("
        "[{...localStorage}, {...sessionStorage}, databases, document.cookie, document.documentElement.outerHTML,"
        " [...document.querySelectorAll('input')].map(input => input.value), location.href]))"
    )
    assert key not in stored
    assert json.loads(stored)[:4] == [{}, {}, [], ""]


async def test_the_theme_is_the_systems_until_somebody_chooses(page: Page, sample: TetherServer) -> None:
    is_dark = "document.documentElement.dataset.theme === 'dark' && !!document.querySelector('.monaco-editor.vs-dark')"
    is_light = "document.documentElement.dataset.theme === 'light' && !document.querySelector('.monaco-editor.vs-dark')"
    await page.prefer("dark")
    await open_graphiql(page, sample.url)
    await page.until(is_dark)
    await page.prefer("light")
    await page.until(is_light)

    choose_dark = "(select => { select.value = 'dark'; select.dispatchEvent(new Event('change')) })"
    await page.evaluate(f"{choose_dark}(document.getElementById('theme'))")
    await page.until(is_dark)
    await open_graphiql(page, sample.url)
    await page.until(is_dark)
    assert await page.evaluate("({...localStorage})") == {"tether-theme": "dark"}


async def test_everything_can_be_reached_and_run_by_keyboard(page: Page, sample: TetherServer) -> None:
    await open_graphiql(page, sample.url)
    await page.until("document.querySelector('.result-window .view-line')")
    reached: list[str] = []
    while "BODY" not in reached:
        reached.append(await _next_stop(page))
        assert len(reached) < 50, reached
    order = [
        "Tether",
        "Sign out",
        "Theme",
        "Show Documentation Explorer",
        "Show History",
        "Hide Live Events",
        "Open settings dialog",
        "Acme",
        "Connect",
        "Watch",
        "New tab",
        "Operation Editor",
        "Execute query (Ctrl-Enter)",
        "Variables",
        "Result Window",
    ]
    assert [name for name in dict.fromkeys(reached) if name in order] == order

    while await _next_stop(page) != "Operation Editor":
        pass
    await page.press("Enter")  # into the editor, where Tab would be a part of the text
    await page.until("document.activeElement.tagName === 'TEXTAREA'")
    await page.press("Enter", control=True)
    assert (await response(page))["data"]["organization"]["connectionSummary"]["total"] >= 2
    await page.press("Escape")
    await page.until("document.activeElement.tagName !== 'TEXTAREA'")


async def _next_stop(page: Page) -> str:
    """Press Tab: the name of what has the focus then, or of the section that it is in."""
    await page.press("Tab")
    name: str = await page.evaluate(
        "(at => at === document.body ? 'BODY' : at.ariaLabel || at.labels?.[0]?.textContent || at.title ||"
        " (at.matches('.graphiql-editor') ? at.closest('section').ariaLabel : at.textContent))(document.activeElement)"
    )
    return name


async def test_the_documentation_has_every_type_and_can_be_searched(page: Page, sample: TetherServer) -> None:
    await open_graphiql(page, sample.url)
    await page.click("button[aria-label='Show Documentation Explorer']")
    await page.until("document.querySelector('.graphiql-doc-explorer-type-name')")
    names = await page.evaluate(
        "[...document.querySelectorAll('.graphiql-doc-explorer-type-name')].map(name => name.textContent)"
    )
    types = build_schema()._schema.type_map
    assert set(names) == {name for name in types if not name.startswith("__")}

    await page.click(".graphiql-doc-explorer-search input")
    await page.type("eventCursor")
    await page.until("document.querySelector('[role=option]')?.textContent.includes('eventCursor')")
    await page.press("Enter")
    await page.until("document.querySelector('.graphiql-doc-explorer-title')?.textContent === 'eventCursor'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_checker_finds_nothing_inaccessible(page: Page, sample: TetherServer, scheme: str) -> None:
    await page.prefer(scheme)
    await open_graphiql(page, sample.url)
    await page.until("document.querySelector('.live-events')")
    assert await violations(page) == []
    await page.click("button[aria-label='Show Documentation Explorer']")
    await page.until("document.querySelector('.graphiql-doc-explorer')?.textContent.includes('ServiceConnection')")
    assert await violations(page) == []
    await page.click("#session")
    await page.until("document.getElementById('person').textContent === 'Not signed in'")
    await page.click("#session")
    await page.until("document.getElementById('sign-in').open")
    assert await violations(page) == []
