"""Signing in and out in a browser, by development's built-in identity provider: the way, and what comes of it."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from sqlalchemy import update

from domain.entities.user import Role
from domain.one_time_tokens import one_time_hash
from gql.development import SAMPLE_ISSUER
from gql.sample import FOUNDER, SLUG
from persistence.tables import sessions, sign_in_flows
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, WHO, SigningIn, a_browser_at
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ADA, BOB = "ada@acme.example", "bob@acme.example"


@pytest.fixture
async def browser(server: TetherServer) -> AsyncIterator[SigningIn]:
    async with a_browser_at(server) as opened:
        yield opened


async def test_whoever_comes_back_is_signed_in_where_they_wanted_to_go(
    server: TetherServer, browser: SigningIn
) -> None:
    end = await browser.sign_in(ADA, "/graphql?a=b", name="Ada Lovelace")

    assert (end.status_code, end.headers["location"]) == (303, "/graphql?a=b")
    assert await browser.who() == ADA
    [user] = await server.rows("users")
    assert (user["name"], user["email"]) == ("Ada Lovelace", ADA)
    assert await server.rows("sign_in_flows") == []
    assert list(browser.http.cookies) == [SESSION]  # the flow's is gone


async def test_only_hashes_and_what_is_sealed_are_kept(server: TetherServer, browser: SigningIn) -> None:
    page = await browser.leave()
    asked = dict(parse_qsl(urlsplit(page).query))
    [flow] = await server.rows("sign_in_flows")
    assert flow["state_hash"] == one_time_hash(asked["state"])
    assert flow["sealed_verifier"].startswith("v1.")
    assert flow["expires_at"] - flow["created_at"] == timedelta(minutes=10)

    await browser.get(await browser.choose(page))
    [session] = await server.rows("sessions")
    assert browser.secret is not None
    assert session["secret_hash"] == one_time_hash(browser.secret)
    assert browser.secret not in str(session)


async def test_two_tabs_dont_get_into_each_others_way(browser: SigningIn) -> None:
    first, second = await browser.leave("/first"), await browser.leave("/second")
    ends = [await browser.get(await browser.choose(page)) for page in (first, second)]
    assert [end.headers["location"] for end in ends] == ["/first", "/second"]
    assert await browser.who() == FOUNDER


async def test_whom_the_operator_knew_by_their_address_is_who_signs_in(
    server: TetherServer, browser: SigningIn
) -> None:
    await server.token(SLUG, ADA, Role.ADMIN)
    await browser.sign_in(ADA, name="Ada")
    answer = await browser.ask({"query": "{ viewer { apiKey { id } memberships { nodes { role } } } }"})
    assert answer.data["viewer"] == {"apiKey": None, "memberships": {"nodes": [{"role": "ADMIN"}]}}


async def test_a_developer_can_be_anybody_in_any_role(server: TetherServer, browser: SigningIn) -> None:
    await server.token(SLUG)
    await browser.sign_in(BOB, name="Bob", role="VIEWER")
    answer = await browser.ask({"query": "{ viewer { memberships { nodes { role organization { slug } } } } }"})
    assert answer.data["viewer"]["memberships"]["nodes"] == [{"role": "VIEWER", "organization": {"slug": SLUG}}]


async def test_who_changes_their_mind_is_told_so_and_can_try_again(browser: SigningIn) -> None:
    page = await browser.leave("/graphql?x=1")
    asked = dict(parse_qsl(urlsplit(page).query))
    denied = await browser.http.post(urlsplit(page).path, data={**asked, "cancel": "1"})
    end = await browser.get(denied.headers["location"])
    assert (end.status_code, browser.secret) == (403, None)
    assert 'href="/sign-in?returnTo=%2Fgraphql%3Fx%3D1"' in end.text


async def test_of_several_providers_people_choose(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> None:
    async with running_tether(
        sqlite_url,
        sandbox,
        encryption_key,
        TETHER_OIDC_ISSUERS="main",
        TETHER_OIDC_MAIN_ISSUER="https://login.example.com/",
        TETHER_OIDC_MAIN_CLIENT_ID="tether",
        TETHER_OIDC_MAIN_DISPLAY_NAME="<Acme> & co",
    ) as server:
        page = await server.http.get("/sign-in?returnTo=/app?a=b", headers={"Sec-Fetch-Site": "same-origin"})
    links = [unescape(each) for each in re.findall(r'<li><a href="([^"]+)">', page.text)]
    asked = [dict(parse_qsl(urlsplit(link).query)) for link in links]
    assert asked == [
        {"issuer": "https://login.example.com/", "returnTo": "/app?a=b"},
        {"issuer": f"{server.url}/development/identity-provider", "returnTo": "/app?a=b"},
    ]
    assert "&lt;Acme&gt; &amp; co</a>" in page.text


async def test_a_provider_that_cant_be_reached_is_told_of(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(
        sqlite_url,
        sandbox,
        encryption_key,
        TETHER_OIDC_ISSUERS="main",
        TETHER_OIDC_MAIN_ISSUER="http://127.0.0.1:1",
        TETHER_OIDC_MAIN_CLIENT_ID="tether",
    ) as server:
        page = await server.http.get("/sign-in/start?issuer=http://127.0.0.1:1")
        assert (page.status_code, "<code>provider_unreachable</code>" in page.text) == (502, True)
        assert await server.rows("sign_in_flows") == []


# The session


async def test_signing_in_again_gives_a_new_secret_and_ends_the_old_one(
    server: TetherServer, browser: SigningIn
) -> None:
    await browser.sign_in(ADA, name="Ada")
    old = browser.secret
    await browser.sign_in(BOB, name="Bob")

    assert browser.secret != old
    assert await browser.who() == BOB
    assert len(await server.rows("sessions")) == 1
    answer = await server.http.post("/graphql", json=WHO, headers={**CSRF, "Cookie": f"{SESSION}={old}"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_signing_out_ends_the_session_at_once(server: TetherServer, browser: SigningIn) -> None:
    await browser.sign_in()
    secret = browser.secret
    assert await browser.who() == FOUNDER

    assert (await browser.sign_out()).status_code == 204
    assert browser.secret is None
    answer = await server.http.post("/graphql", json=WHO, headers={**CSRF, "Cookie": f"{SESSION}={secret}"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await server.rows("sessions") == []
    assert (await browser.sign_out()).status_code == 204  # once more does no harm


async def test_signing_out_everywhere_ends_all_of_a_persons_sessions_and_nobody_elses(
    server: TetherServer, browser: SigningIn
) -> None:
    async with a_browser_at(server) as second, a_browser_at(server) as other:
        for each, person in ((browser, ADA), (second, ADA), (other, BOB)):
            await each.sign_in(person, name="Somebody")
            assert await each.who() == person
        assert (await browser.sign_out(everywhere=True)).status_code == 204
        assert [await each.who() for each in (browser, second, other)] == [None, None, BOB]

        refused = await browser.sign_out(everywhere=True)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_what_one_process_ends_is_over_in_the_others_within_five_seconds(
    server: TetherServer, browser: SigningIn, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    await browser.sign_in()
    async with running_tether(database_url, sandbox, encryption_key, TETHER_PUBLIC_URL=server.url) as elsewhere:
        cookie = {**CSRF, "Cookie": f"{SESSION}={browser.secret}"}
        answer = await elsewhere.http.post("/graphql", json=WHO, headers=cookie)
        assert "errors" not in answer.json()
        await browser.sign_out()

        async def over() -> bool:
            return "errors" in (await elsewhere.http.post("/graphql", json=WHO, headers=cookie)).json()

        await eventually(over, within_seconds=5)


async def test_a_form_of_the_page_signs_out_without_any_script(server: TetherServer, browser: SigningIn) -> None:
    await browser.sign_in()
    page = await browser.get("/sign-in")
    assert "signed in as <strong>Acme Founder</strong>" in page.text
    assert 'action="/sign-out"' in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    by_form = {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    end = await browser.http.post("/sign-out", headers={**by_form, "Accept": "text/html"})
    assert (end.status_code, end.headers["location"]) == (303, "/")
    assert await browser.who() is None


async def test_signing_in_and_out_is_told_in_each_organization_of_the_person(
    server: TetherServer, browser: SigningIn
) -> None:
    for slug in (SLUG, "other"):
        await server.token(slug, ADA, Role.VIEWER)
    await server.token("foreign", BOB)
    await browser.sign_in(ADA, name="Ada")
    await browser.sign_out()
    await browser.sign_in(ADA, name="Ada")
    await browser.sign_in(BOB, name="Bob")  # in the same browser, which ends hers

    told = [row for row in await server.rows("audit_records") if row["action"] in {"SIGNED_IN", "SIGNED_OUT"}]
    organizations = {row["id"]: row["slug"] for row in await server.rows("organizations")}
    by_slug = {slug: [row for row in told if organizations[row["organization_id"]] == slug] for slug in (SLUG, "other")}
    for rows in by_slug.values():
        ordered = sorted(rows, key=lambda row: row["id"])
        assert [row["action"] for row in ordered] == ["SIGNED_IN", "SIGNED_OUT"] * 2
        assert {(row["actor_kind"], row["actor_name"], row["subject_name"]) for row in rows} == {("USER", "Ada", "Ada")}
        assert ordered[0]["data"]["issuer"].startswith(server.url)
    foreign = [row for row in told if organizations[row["organization_id"]] == "foreign"]
    assert [row["action"] for row in foreign] == ["SIGNED_IN"]


async def test_a_session_that_ran_out_opens_nothing(
    server: TetherServer, browser: SigningIn, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    """For each of the two ends, in a process that hasn't seen the session before."""
    now = datetime.now(UTC)
    for ended in ({"seen_at": now - timedelta(hours=12, seconds=1)}, {"expires_at": now - timedelta(seconds=1)}):
        await browser.sign_in()
        await server.alter(update(sessions).values(**ended))
        async with running_tether(database_url, sandbox, encryption_key, TETHER_PUBLIC_URL=server.url) as elsewhere:
            cookie = {**CSRF, "Cookie": f"{SESSION}={browser.secret}"}
            answer = (await elsewhere.http.post("/graphql", json=WHO, headers=cookie)).json()
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_what_a_provider_has_begun_ends_when_it_is_taken_out_of_the_settings(
    server: TetherServer, browser: SigningIn, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    await browser.sign_in()
    cookie = {**CSRF, "Cookie": f"{SESSION}={browser.secret}"}
    for switch, ended in (("on", False), ("off", True)):
        same = {"TETHER_PUBLIC_URL": server.url, "TETHER_DEVELOPMENT_ISSUER": switch}
        async with running_tether(database_url, sandbox, encryption_key, **same) as restarted:
            answer = (await restarted.http.post("/graphql", json=WHO, headers=cookie)).json()
            assert ("errors" in answer) is ended


# The cookie


async def test_the_cookie_is_for_this_server_alone(server: TetherServer, browser: SigningIn) -> None:
    end = await browser.sign_in()
    cookie = _cookie(end, SESSION)
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/", "lax", True)
    assert (cookie["domain"], cookie["secure"]) == ("", "")  # by http, on this machine


async def test_by_https_no_other_host_can_set_it(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> None:
    async with running_tether(
        sqlite_url, sandbox, encryption_key, TETHER_PUBLIC_URL="https://tether.example.com"
    ) as server:
        await server.token()
        async with server.tether.units_of_work.reading_everywhere() as unit:
            user = await unit.users.find_by_email(ADA)
        assert user is not None
        begun = await server.tether.sessions.begin(user, SAMPLE_ISSUER)
        name = f"__Host-{SESSION}"
        headers = {"Cookie": f"{name}={begun.secret.reveal()}", **CSRF}
        own = {**headers, "Origin": "https://tether.example.com", "Sec-Fetch-Site": "same-origin"}
        assert "errors" not in (await server.http.post("/graphql", json=WHO, headers=own)).json()
        unprefixed = {**own, "Cookie": f"{SESSION}={begun.secret.reveal()}"}
        assert "errors" in (await server.http.post("/graphql", json=WHO, headers=unprefixed)).json()

        out = await server.http.post("/sign-out", headers=own)
        cookie = _cookie(out, name)
        assert (cookie["path"], cookie["secure"], cookie["httponly"], cookie["domain"]) == ("/", True, True, "")
        assert cookie["max-age"] == "0"


async def test_flows_that_nobody_came_back_from_and_sessions_that_ran_out_are_forgotten(
    server: TetherServer, browser: SigningIn
) -> None:
    await browser.leave()
    await browser.sign_in()
    now = server.tether.clock()
    assert await server.tether.sign_in.forget_expired(now, 10) == 0
    assert await server.tether.sessions.forget_ended(now, 10) == 0
    await server.alter(update(sign_in_flows).values(expires_at=now), update(sessions).values(expires_at=now))
    assert await server.tether.sign_in.forget_expired(now, 10) == 1
    assert await server.tether.sessions.forget_ended(now, 10) == 1


def _cookie(answer: httpx2.Response, name: str) -> dict[str, str | bool]:
    [given] = [each for each in map(SimpleCookie, answer.headers.get_list("set-cookie")) if name in each]
    return dict(given[name])
