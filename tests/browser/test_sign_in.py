"""Signing in and out in a real browser: by a certified OpenID provider, and by development's built-in one."""

import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from domain.return_path import return_path
from gql.sample import FOUNDER, SLUG
from tests.browser.accessibility import violations
from tests.browser.chromium import Page
from tests.browser.graphiql import open_graphiql, response, run
from tests.browser.sample import serving_sample
from tests.gql.server import TetherServer
from tests.identity_provider.running import CLIENT_ID, CLIENT_SECRET, IdentityProviderServer

pytestmark = pytest.mark.anyio

PERSON = "document.getElementById('person')?.textContent"
ASK = """(async (query, headers) => {
  const given = {"Content-Type": "application/json", ...headers};
  const answer = await fetch("/graphql", {method: "POST", headers: given, body: JSON.stringify({query})});
  return answer.json();
})"""
WHO = "{ viewer { user { name email } } }"
CSRF = {"X-Tether-CSRF": "1"}


@pytest.fixture
async def company(built: None, identity_provider: IdentityProviderServer) -> AsyncIterator[TetherServer]:
    """Whose people sign in by the company's own provider, and by no other one."""
    async with serving_sample(
        TETHER_ENVIRONMENT="production",
        TETHER_OIDC_ISSUERS="main",
        TETHER_OIDC_MAIN_ISSUER=identity_provider.url,
        TETHER_OIDC_MAIN_DISPLAY_NAME="Acme’s accounts",
        TETHER_OIDC_MAIN_CLIENT_ID=CLIENT_ID,
        TETHER_OIDC_MAIN_CLIENT_SECRET=CLIENT_SECRET,
        TETHER_OIDC_MAIN_ORGANIZATION_CLAIM="organization",
        TETHER_OIDC_MAIN_ROLE_CLAIM="role",
    ) as server:
        yield server


async def ask(page: Page, query: str = WHO, headers: dict[str, str] = CSRF) -> Any:
    """What a script of a page of this server is answered."""
    return await page.evaluate(f"{ASK}({json.dumps(query)}, {json.dumps(headers)})")


async def log_in(page: Page, provider: IdentityProviderServer, login: str) -> None:
    """At the certified provider, the first time."""
    await page.until(f"location.href.startsWith('{provider.url}')")
    await page.click("input[name=login]")
    await page.type(login)
    await page.press("Enter")
    await allow(page)


async def allow(page: Page) -> None:
    """That Tether learns who it is; asked each time, since a loopback address could be anybody's."""
    await page.until("document.title.startsWith('Allow access')")
    await page.click("button[name=continue]")


async def a_person(provider: IdentityProviderServer, **claims: Any) -> str:
    login = f"grace-{uuid4()}"
    given = {"name": "Grace Hopper", "email": f"{login}@acme.example", "email_verified": True, **claims}
    await provider.put_account(login, **given)
    return login


# By a certified provider


async def test_people_sign_in_with_their_companys_accounts(
    company: TetherServer, page: Page, identity_provider: IdentityProviderServer
) -> None:
    login = await a_person(identity_provider, organization=SLUG, role="ADMIN")
    await page.goto(f"{company.url}/graphql")
    await page.until("document.getElementById('sign-in').matches(':modal')")
    await page.click("#sign-in-account")
    await log_in(page, identity_provider, login)

    await page.until("location.pathname === '/graphql'")
    await page.until(f"{PERSON} === 'Grace Hopper, ADMIN of {SLUG}'")
    await page.until("document.querySelector('.graphiql-query-editor .view-line')")
    await run(page, "Acme")
    assert (await response(page))["data"]["organization"]["id"] == await company.organization_id()
    await page.until("document.querySelector('.live-events')?.textContent.includes('Listening to acme')")
    assert await page.evaluate("document.cookie") == ""  # no script reads it


async def test_signing_out_holds_until_one_signs_in_again_where_the_provider_still_knows_them(
    company: TetherServer, page: Page, identity_provider: IdentityProviderServer
) -> None:
    login = await a_person(identity_provider, organization=SLUG, role="VIEWER")
    await page.goto(f"{company.url}/sign-in?returnTo=/graphql")  # with one provider straight on
    await log_in(page, identity_provider, login)
    await page.until(f"{PERSON}?.startsWith('Grace Hopper')")

    await page.click("#session")
    await page.until(f"{PERSON} === 'Not signed in'")
    assert "errors" in await ask(page)
    assert await company.rows("sessions") == []
    await page.goto(f"{company.url}/sign-in?returnTo=/graphql")
    await allow(page)
    await page.until(f"{PERSON}?.startsWith('Grace Hopper')")


async def test_who_doesnt_agree_isnt_signed_in(
    company: TetherServer, page: Page, identity_provider: IdentityProviderServer
) -> None:
    await page.goto(f"{company.url}/sign-in")
    await page.until(f"location.href.startsWith('{identity_provider.url}')")
    await page.click("button[name=abort]")
    await page.until("document.querySelector('code')?.textContent === 'denied'")
    assert "403" in page.problems.pop()  # the browser tells of each such answer
    assert await company.rows("sessions") == []


async def test_a_provider_may_have_new_keys_by_the_time_that_one_is_back(
    company: TetherServer, page: Page, identity_provider: IdentityProviderServer
) -> None:
    login = await a_person(identity_provider)
    await page.goto(f"{company.url}/sign-in?returnTo=/graphql")
    await page.until(f"location.href.startsWith('{identity_provider.url}')")
    await identity_provider.rotate_keys(retire=True)
    await log_in(page, identity_provider, login)
    await page.until(f"{PERSON}?.startsWith('Grace Hopper')")


# Pages of this server and of others


async def test_a_page_of_this_server_asks_with_the_header_and_no_other_page_can(
    sample: TetherServer, company: TetherServer, page: Page
) -> None:
    """Another port of this machine is another origin, but the same site: cookies come along there."""
    await open_graphiql(page, sample.url)
    assert (await ask(page))["data"]["viewer"]["user"]["email"] == FOUNDER
    refused = await ask(page, headers={})
    assert refused["errors"][0]["extensions"]["code"] == "CSRF_REFUSED"
    assert "403" in page.problems.pop()

    await page.goto(company.url)
    told = await page.evaluate(
        f"fetch('{sample.url}/graphql', {{method: 'POST', credentials: 'include', headers: {json.dumps(CSRF)}}})"
        ".then(answer => 'answered', failure => 'refused')"
    )
    assert told == "refused"
    opened = await page.evaluate(
        f"""new Promise(tell => {{
          const socket = new WebSocket('{sample.ws_url}', 'graphql-transport-ws');
          socket.onopen = () => tell('opened');
          socket.onerror = () => tell('refused');
        }})"""
    )
    assert opened == "refused"
    page.problems.clear()  # the browser tells of what it was refused


async def test_no_return_path_that_is_kept_leads_this_browser_elsewhere(page: Page, sample: TetherServer) -> None:
    """As it reads addresses, which is more lenient than any specification that servers are written by."""
    chance = random.Random(6)  # noqa: S311 - the same paths each time
    tried = (
        "/" + "".join(chance.choices("//\\\\..:@?#%%25e \t\n\r\0é", k=chance.randint(0, 8))) for _ in range(20_000)
    )
    kept = sorted({path for path in tried if return_path(path) == path})
    assert len(kept) > 1_000
    await page.goto(sample.url)
    read = f"{json.dumps(kept)}.map(path => new URL(path, 'https://tether.example.com/sign-in/callback/main').origin)"
    assert await page.evaluate(f"[...new Set({read})]") == ["https://tether.example.com"]


# By development's own provider


async def test_a_developer_signs_in_as_anybody_they_like(page: Page, sample: TetherServer) -> None:
    await open_graphiql(page, sample.url)
    await page.goto(f"{sample.url}/sign-in?returnTo=/graphql")
    await page.until("document.body.textContent.includes('signed in as Acme Founder')")
    assert await violations(page) == []
    await page.click("li a")
    await page.until("document.title.startsWith('Who are you today?')")
    assert await violations(page) == []
    await page.click("#email")
    await page.type("ada@acme.example")
    await page.click("#name")
    await page.type("Ada Lovelace")
    await page.evaluate("document.getElementById('role').value = 'MEMBER'")
    await page.press("Enter")
    await page.until(f"{PERSON} === 'Ada Lovelace, MEMBER of acme'")


async def test_without_scripts_one_can_sign_out(page: Page, sample: TetherServer) -> None:
    await open_graphiql(page, sample.url)
    await page.without_scripts()
    await page.goto(f"{sample.url}/sign-in")
    await page.click("form button")
    await page.until("location.pathname === '/'")
    await page.goto(f"{sample.url}/sign-in")  # nobody is, so that it goes straight on
    await page.until("document.title.startsWith('Who are you today?')")


async def test_what_the_cookies_docstring_says_of_this_browser(page: Page, sample: TetherServer) -> None:
    """That it takes Secure cookies by http from this machine, and no `__Host-` cookie that isn't one."""
    await page.goto(sample.url)
    given = ("__Host-a=1; Secure; Path=/", "__Host-b=1; Path=/", "__Host-c=1; Secure; Path=/graphql", "d=1; Secure")
    await page.evaluate(f"{json.dumps(given)}.forEach(each => {{ document.cookie = each }})")
    assert await page.evaluate("document.cookie") == "__Host-a=1; d=1"
