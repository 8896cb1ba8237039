"""What nobody gains by meddling with a sign-in: not a session as another, nor one of theirs in another's browser."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import update
from starlette.requests import Request

from domain.key_ring import generate_key
from domain.return_path import return_path
from gql.development import ISSUER_PATH
from gql.http.sign_in_limit import MINUTE_SECONDS, MOST, MOST_OF_ONE, SignInLimit
from gql.sample import FOUNDER
from persistence.tables import sign_in_flows
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, WHO, SigningIn, a_browser_at
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

MALLORY = "mallory@evil.example"


@pytest.fixture
async def browser(server: TetherServer) -> AsyncIterator[SigningIn]:
    """The victim's."""
    async with a_browser_at(server) as opened:
        yield opened


@pytest.fixture
async def mallorys(server: TetherServer) -> AsyncIterator[SigningIn]:
    """The attacker's own browser, on their own machine."""
    async with a_browser_at(server) as opened:
        yield opened


def refused(end: httpx2.Response, code: str) -> None:
    assert end.status_code in {400, 403, 502}, end.text
    assert f"<code>{code}</code>" in end.text
    assert not any(f"{SESSION}=" in each for each in end.headers.get_list("set-cookie"))


def changed(callback: str, **query: str | None) -> str:
    """The address with other parameters; None for none."""
    address = urlsplit(callback)
    given = {**dict(parse_qsl(address.query)), **query}
    kept = urlencode({name: value for name, value in given.items() if value is not None})
    return address._replace(query=kept).geturl()


# Login CSRF: the attacker's own way back in the victim's browser


async def test_nobody_is_signed_in_by_a_link_of_another_browsers_way_back(
    server: TetherServer, browser: SigningIn, mallorys: SigningIn
) -> None:
    callback = await mallorys.choose(await mallorys.leave(), MALLORY, name="Mallory")
    refused(await browser.get(callback), "unknown")
    assert await server.rows("sessions") == []

    await mallorys.get(callback)  # nothing was used up: the browser that left is still let in
    assert await mallorys.who() == MALLORY


async def test_a_code_of_ones_own_cant_be_put_into_anothers_way_back(browser: SigningIn, mallorys: SigningIn) -> None:
    """The code was asked for with the challenge of another verifier."""
    theirs = dict(parse_qsl(urlsplit(await mallorys.choose(await mallorys.leave(), MALLORY, name="M")).query))
    own = await browser.choose(await browser.leave())
    refused(await browser.get(changed(own, code=theirs["code"])), "provider_refused")
    refused(await browser.get(own), "unknown")  # a way back is gone once
    assert browser.secret is None


async def test_a_state_belongs_to_the_cookie_of_its_own_flow(browser: SigningIn) -> None:
    first, second = await browser.choose(await browser.leave()), await browser.choose(await browser.leave())
    states = [dict(parse_qsl(urlsplit(each).query))["state"] for each in (first, second)]
    refused(await browser.get(changed(first, state="nothing")), "unknown")
    refused(await browser.get(changed(first, state=None)), "unknown")
    refused(await browser.get(changed(first, state=states[1])), "provider_refused")
    refused(await browser.get(second), "unknown")
    assert browser.secret is None


async def test_a_way_back_works_once(server: TetherServer, browser: SigningIn) -> None:
    callback = await browser.choose(await browser.leave())
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies.jar)
    await browser.get(callback)
    refused(await browser.get(callback), "unknown")
    refused(await server.http.get(callback, headers={"Cookie": cookies}), "unknown")  # as it was before
    assert await browser.who() == FOUNDER


async def test_of_ways_back_at_once_one_is_taken(server: TetherServer, browser: SigningIn) -> None:
    callback = await browser.choose(await browser.leave())
    ends = await asyncio.gather(*(browser.get(callback) for _ in range(5)))
    assert sorted(end.status_code for end in ends) == [303, 400, 400, 400, 400]
    assert len(await server.rows("sessions")) == 1


async def test_a_way_that_took_too_long_is_over(server: TetherServer, browser: SigningIn) -> None:
    callback = await browser.choose(await browser.leave())
    await server.alter(update(sign_in_flows).values(expires_at=datetime.now(UTC)))
    refused(await browser.get(callback), "expired")


# Mix-up: another provider's answer


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None])
async def test_an_answer_that_isnt_from_whom_was_asked_is_refused(browser: SigningIn, issuer: str | None) -> None:
    """None: not saying it, where the provider's metadata promises that it always does."""
    callback = changed(await browser.choose(await browser.leave()), iss=issuer)
    refused(await browser.get(callback), "wrong_issuer")


async def test_only_configured_providers_are_gone_to(browser: SigningIn) -> None:
    for issuer in ("https://evil.example", "", "development"):
        answer = await browser.get(f"/sign-in/start?issuer={quote(issuer, safe='')}")
        assert (answer.status_code, "location" in answer.headers) == (404, False)


# Strangers who begin more than they end


async def test_strangers_cant_fill_the_database_with_ways_that_they_begin(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_TRUSTED_PROXIES="127.0.0.1") as server:
        begun = f"/sign-in/start?issuer={quote(server.url + ISSUER_PATH, safe='')}"

        async def statuses(times: int, *addresses: str) -> list[int]:
            given = [{"X-Forwarded-For": address} for address in addresses]
            return [(await server.http.get(begun, headers=given[n % len(given)])).status_code for n in range(times)]

        assert await statuses(MOST_OF_ONE + 2, "203.0.113.7") == [303] * MOST_OF_ONE + [429] * 2
        assert await statuses(1, "203.0.113.8") == [303]  # nobody else is kept out by that
        network = [f"2001:db8:0:1::{n:x}" for n in range(9)]
        assert await statuses(MOST_OF_ONE + 1, *network) == [303] * MOST_OF_ONE + [429]
        assert await statuses(1, "2001:db8:0:2::1") == [303]
        assert len(await server.rows("sign_in_flows")) == 2 * MOST_OF_ONE + 2


def test_all_together_begin_so_many_in_a_minute_and_as_many_in_the_next() -> None:
    seconds = 0.0
    limit = SignInLimit(lambda: seconds)

    def taken(host: str | None, times: int) -> int:
        client = None if host is None else (host, 0)
        return sum(limit.takes(Request({"type": "http", "client": client})) for _ in range(times))

    assert taken(None, MOST + 5) == MOST  # behind a proxy that isn't trusted, nobody is known by an address
    assert taken("203.0.113.7", 1) == 0
    seconds = MINUTE_SECONDS
    assert sum(taken(f"203.0.113.{n}", MOST) for n in range(20)) == MOST


# Fixation and tossed cookies


async def test_a_secret_that_was_put_into_the_browser_before_opens_nothing_after(
    server: TetherServer, browser: SigningIn, mallorys: SigningIn
) -> None:
    await mallorys.sign_in(MALLORY, name="Mallory")
    planted = mallorys.secret
    assert planted is not None
    for known in (planted, "A" * 43):
        async with a_browser_at(server) as victims:
            victims.http.cookies.set(SESSION, known)
            given = await victims.sign_in()
            [secret] = [each for each in given.headers.get_list("set-cookie") if each.startswith(f"{SESSION}=")]
            assert known not in secret
        answer = await server.http.post("/graphql", json=WHO, headers={**CSRF, "Cookie": f"{SESSION}={known}"})
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_of_two_cookies_neither_counts(server: TetherServer, browser: SigningIn, mallorys: SigningIn) -> None:
    """A sibling host can put a second one beside ours, where the prefix __Host- doesn't keep it from that."""
    await browser.sign_in()
    await mallorys.sign_in(MALLORY, name="Mallory")
    for pair in ((browser.secret, mallorys.secret), (mallorys.secret, browser.secret)):
        cookies = "; ".join(f"{SESSION}={secret}" for secret in pair)
        answer = await server.http.post("/graphql", json=WHO, headers={**CSRF, "Cookie": cookies})
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


# Where else a browser could be led


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/é",
    "",
    "/" + "a" * 2000,
)


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_nobody_is_sent_to_another_site(browser: SigningIn, address: str) -> None:
    end = await browser.sign_in(return_to=address)
    assert end.headers["location"] == return_path(address) == "/"


@pytest.mark.parametrize("address", ["/", "/graphql", "/app/?a=//b#c", "/%2F%2Fevil.example", "/a//b"])
def test_paths_of_this_server_are_kept_as_they_are(address: str) -> None:
    assert return_path(address) == address


async def test_another_site_leads_no_further_than_to_the_page_where_one_chooses(
    server: TetherServer, browser: SigningIn
) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    issuer = f"{server.url}{ISSUER_PATH}"
    led = await browser.get(f"/sign-in/start?issuer={quote(issuer, safe='')}&returnTo=/graphql", **elsewhere)
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?returnTo=%2Fgraphql")
    page = await browser.get(led.headers["location"], **elsewhere)
    assert (page.status_code, list(browser.http.cookies)) == (200, [])
    assert "/sign-in/start?" in page.text
    assert await server.rows("sign_in_flows") == []


@pytest.mark.parametrize(
    "header", [{"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Purpose": "prefetch"}]
)
async def test_what_no_person_has_gone_to_begins_and_ends_nothing(
    server: TetherServer, browser: SigningIn, header: dict[str, str]
) -> None:
    callback = await browser.choose(await browser.leave())
    assert (await browser.get(callback, **header)).status_code == 503
    assert (await browser.http.head(callback)).status_code == 200
    begun = f"/sign-in/start?issuer={quote(server.url + ISSUER_PATH, safe='')}"
    assert (await browser.get(begun, **header)).status_code == 503
    assert len(await server.rows("sign_in_flows")) == 1
    await browser.get(callback)
    assert await browser.who() == FOUNDER


# Signing out


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://evil.example", **CSRF},
        {"Sec-Fetch-Site": "same-site", **CSRF},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
async def test_no_other_site_signs_anybody_out(browser: SigningIn, headers: dict[str, str]) -> None:
    await browser.sign_in()
    for path in ("/sign-out", "/sign-out?everywhere=true"):
        answer = await browser.http.post(path, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["extensions"]["code"] == "CSRF_REFUSED"
    assert (await browser.get("/sign-out")).status_code == 405
    assert await browser.who() == FOUNDER


# Development's own provider

_FROM_ELSEWHERE = ({"Host": "tether.example"}, {"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"})


async def test_the_built_in_provider_is_for_this_machine_alone(server: TetherServer) -> None:
    for path in ("/.well-known/openid-configuration", "/keys", "/authorize"):
        for headers in _FROM_ELSEWHERE:
            answer = await server.http.get(f"{ISSUER_PATH}{path}", headers=headers)
            assert answer.status_code == 404, (path, headers)
    assert (await server.http.get(f"{ISSUER_PATH}/keys")).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_no_other_sites_form_answers_for_the_developer(browser: SigningIn, headers: dict[str, str]) -> None:
    """Else it could fill the page with people, and have codes made for ways that were begun elsewhere."""
    asked = await browser.leave()
    given = {**dict(parse_qsl(urlsplit(asked).query)), "email": FOUNDER, "name": "Mallory"}
    answer = await browser.http.post(f"{ISSUER_PATH}/authorize", data=given, headers=headers)
    assert (answer.status_code, "location" in answer.headers) == (403, False)
    assert "Mallory" not in (await browser.get(asked)).text


async def test_nor_is_it_for_whom_a_proxy_without_settings_asks(server: TetherServer) -> None:
    """As nginx does: by HTTP/1.0, with our own name, and without a word of the client."""
    address = urlsplit(server.url)
    for version, status in (("1.0", b"404"), ("1.1", b"200")):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = f"GET {ISSUER_PATH}/keys HTTP/{version}\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == status
        writer.close()


async def test_production_has_no_built_in_provider(sqlite_url: str, sandbox: SandboxServer) -> None:
    variables = {"TETHER_ENVIRONMENT": "production", "TETHER_PUBLIC_URL": "https://tether.example.com"}
    async with running_tether(sqlite_url, sandbox, generate_key(), **variables) as production:
        for path in ("/.well-known/openid-configuration", "/keys", "/authorize", "/token"):
            assert (await production.http.get(f"{ISSUER_PATH}{path}")).status_code == 404
        assert production.tether.sign_in.providers == ()
        page = await production.http.get("/sign-in")
        assert (page.status_code, "no identity provider" in page.text) == (404, True)


async def test_its_codes_are_for_who_asked_for_them_and_work_once(server: TetherServer, browser: SigningIn) -> None:
    async def exchange(**changes: str) -> httpx2.Response:
        code = dict(parse_qsl(urlsplit(await browser.choose(await browser.leave())).query))["code"]
        form = {
            "grant_type": "authorization_code",
            "client_id": "tether",
            "redirect_uri": f"{server.url}/sign-in/callback/development",
            "code": code,
            "code_verifier": "A" * 43,
            **changes,
        }
        return await server.http.post(f"{ISSUER_PATH}/token", data=form)

    for change in ({}, {"redirect_uri": "https://evil.example"}, {"code": "nothing"}):
        answer = await exchange(**change)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert (await exchange(client_id="other")).json() == {"error": "invalid_request"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_it_gives_no_code_without_pkce_or_for_less_than_openid(
    browser: SigningIn, change: dict[str, str | None], error: str
) -> None:
    answer = await browser.get(changed(await browser.leave(), **change))
    assert dict(parse_qsl(urlsplit(answer.headers["location"]).query))["error"] == error
    refused(await browser.get(answer.headers["location"]), "denied")


@pytest.mark.parametrize("change", [{"redirect_uri": "https://evil.example/"}, {"client_id": "other"}])
async def test_it_sends_nobody_to_an_address_that_isnt_tethers(browser: SigningIn, change: dict[str, str]) -> None:
    answer = await browser.get(changed(await browser.leave(), **change))
    assert (answer.status_code, "location" in answer.headers) == (400, False)
