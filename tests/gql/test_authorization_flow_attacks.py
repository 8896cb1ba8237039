"""What an attacker, a mishap or a second click makes of an authorization flow: each its own end, and nothing gained."""

import logging
import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pytest
from sqlalchemy import update

from domain.entities.user import Role
from persistence.tables import authorization_flows
from tests.gql.authorizing import (
    RETURN_TO,
    Browser,
    a_browser,
    accepted_at_github,
    authorizing_tether,
    begin,
    complete,
    query_of,
    register,
    waiting_token,
)
from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ADA = "ada-under-attack"
UNKNOWN_CODE = {
    "__typename": "InvalidInput",
    "code": "INVALID_INPUT",
    "field": ["input", "code"],
    "message": "This code isn't known, was used before or is too old. Begin again with authorizeConnection.",
}

NOT_ALLOWED = (
    f"{RETURN_TO}/",
    f"{RETURN_TO}x",
    f"{RETURN_TO}/../evil",
    f"{RETURN_TO}?next=https://evil.example",
    f"{RETURN_TO}#fragment",
    f"{RETURN_TO} ",
    f" {RETURN_TO}",
    f"{RETURN_TO}\n",
    RETURN_TO.upper(),
    RETURN_TO.replace("https:", "http:"),
    RETURN_TO.replace("https:", ""),
    RETURN_TO.replace("https://", "https:/"),
    RETURN_TO.replace("https://", "https://user@"),
    RETURN_TO.replace("app.example.com", "app.example.com."),
    RETURN_TO.replace("app.example.com", "app.example.com:443"),
    RETURN_TO.replace("app.example.com", "app.example.com@evil.example"),
    RETURN_TO.replace("app.example.com", "app.example.com.evil.example"),
    RETURN_TO.replace("app.example.com", "evil.example\\@app.example.com"),
    RETURN_TO.replace("/connected", "%2Fconnected"),
    quote(RETURN_TO, safe=""),
    "https://app.example.com",
    "//evil.example/connected",
    "/connected",
    "javascript:alert(1)//https://app.example.com/connected",
    "",
    [RETURN_TO],
    {"url": RETURN_TO},
    7,
    True,
)


@pytest.fixture
async def server(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    async with authorizing_tether(sqlite_url, sandbox, encryption_key) as running:
        await running.credential(account={"id": 80001, "login": ADA})
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as opened:
        yield opened


@pytest.fixture
async def client(server: TetherServer) -> Client:
    return await server.member(Role.ADMIN)


async def test_only_the_browser_that_took_the_link_can_come_back(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    async with a_browser() as without_cookie, a_browser() as with_another:
        await with_another.leave(await begin(server, client))
        for other in (without_cookie, with_another):
            assert (await other.arrive(callback)).error == "wrong_browser"
    assert (await browser.arrive(callback)).code


async def test_a_proof_under_the_right_name_has_to_be_the_right_one(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    [cookie] = browser.http.cookies.jar
    async with a_browser() as forger:
        response = await forger.get(callback, Cookie=f"{cookie.name}={secrets.token_urlsafe(32)}")
    assert query_of(response.headers["location"])["error"] == "wrong_browser"


async def test_the_cookie_is_for_this_flow_this_browser_and_this_site_only(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str, browser: Browser
) -> None:
    public = {"TETHER_PUBLIC_URL": "https://tether.example.com"}
    async with authorizing_tether(sqlite_url, sandbox, encryption_key, **public) as server:
        url = await begin(server, await server.member(Role.ADMIN))
        assert url.startswith("https://tether.example.com/oauth/start/")
        cookie = (await browser.get(server.url + urlsplit(url).path)).headers["set-cookie"]
    assert re.match(r"__Host-tether-flow-[0-9a-f]{12}=[\w-]{43}; ", cookie)
    attributes = {part.partition("=")[0].lower() for part in cookie.split("; ")[1:]}
    assert attributes == {"expires", "httponly", "path", "samesite", "secure"}
    assert "; Path=/; " in f"{cookie}; "
    assert "samesite=lax" in cookie.lower()


async def test_link_callback_and_code_each_work_once(server: TetherServer, client: Client, browser: Browser) -> None:
    url = await begin(server, client)
    callback = await browser.consent(await browser.leave(url), ADA)
    assert (await browser.arrive(url)).error == "replayed"
    end = await browser.arrive(callback)
    assert (await browser.arrive(callback)).error == "replayed"
    await complete(client, end.code)
    assert await client.user_error("completeAuthorization", code=end.code) == UNKNOWN_CODE
    assert (await browser.get(callback)).status_code == 404
    assert len(await server.rows("service_connections")) == 1


async def test_looking_ahead_uses_nothing_up(server: TetherServer, client: Client, browser: Browser) -> None:
    url = await begin(server, client)

    async def look_ahead(address: str) -> None:
        head = await browser.http.head(address)
        assert (head.status_code, "set-cookie" in head.headers) == (200, False)
        for name, value in (
            ("Sec-Purpose", "prefetch;prerender"),
            ("Purpose", "prefetch"),
            ("Sec-Fetch-Mode", "no-cors"),
            ("Sec-Fetch-Mode", "cors"),
        ):
            assert (await browser.get(address, **{name: value})).status_code == 503

    await look_ahead(url)
    callback = await browser.consent(await browser.leave(url), ADA)
    await look_ahead(callback)
    assert (await browser.arrive(callback)).code
    assert (await browser.http.post(url)).status_code == 405


@pytest.mark.parametrize("same_user", [True, False])
async def test_a_link_sent_to_somebody_else_gains_nothing(
    server: TetherServer, client: Client, browser: Browser, same_user: bool
) -> None:
    """The victim follows the attacker's link and agrees; their own application then tries to finish as them."""
    email = "admin@acme.example" if same_user else "victim@globex.example"
    victim = server.client(await server.token("globex", email, Role.ADMIN))
    end = await browser.authorize(await begin(server, client), ADA)
    token = await waiting_token(server, end.code)
    assert await accepted_at_github(server, token)

    assert await victim.user_error("completeAuthorization", code=end.code) == UNKNOWN_CODE

    assert not await accepted_at_github(server, token)
    assert await client.user_error("completeAuthorization", code=end.code) == UNKNOWN_CODE
    for table in ("authorization_flows", "service_connections", "tasks"):
        rows = await server.rows(table)
        assert [row for row in rows if row.get("kind") in {None, "REVOKE_CREDENTIAL"}] == [], table


async def test_an_abandoned_flow_doesnt_end_the_connection_that_its_workspace_has(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    """Slack has one bot for a workspace: whoever revokes its token takes it from everybody."""
    connected = await complete(client, await _slack_code(server, client, browser, "lived-in"), "id status")
    abandoned = await _slack_code(server, client, browser, "lived-in")
    stranger = await server.member(Role.OWNER, "globex")
    assert await stranger.user_error("completeAuthorization", code=abandoned) == UNKNOWN_CODE
    checked = await client.mutate("checkConnectionHealth", "connection { id status }", connectionId=connected["id"])
    assert checked["connection"] == connected == {"id": connected["id"], "status": "ACTIVE"}
    assert await server.rows("authorization_flows") == []


async def test_an_abandoned_flow_takes_the_bot_from_a_workspace_that_nobody_has_connected(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    code = await _slack_code(server, client, browser, "empty")
    token = await waiting_token(server, code)
    stranger = await server.member(Role.OWNER, "globex")
    assert await stranger.user_error("completeAuthorization", code=code) == UNKNOWN_CODE
    error = await server.creation_error(client, token, service="slack")
    assert error["code"] == "CREDENTIAL_REFUSED"


async def test_the_answer_of_another_service_ends_the_flow(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    mixed_up = callback.replace("/oauth/callback/github?", "/oauth/callback/slack?")
    assert (await browser.arrive(mixed_up)).error == "wrong_issuer"
    assert (await browser.arrive(callback)).error == "replayed"


async def test_no_other_address_is_returned_to(server: TetherServer, client: Client) -> None:
    organization_id = await server.organization_id()
    for address in NOT_ALLOWED:
        for popup in (False, True):
            error = await client.user_error(
                "authorizeConnection", organizationId=organization_id, service="github", returnTo=address, popup=popup
            )
            assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "returnTo"]), address
            assert "evil" not in error["message"]
    assert await server.rows("authorization_flows") == []


async def test_denied_consent_is_told_in_our_own_words(server: TetherServer, client: Client, browser: Browser) -> None:
    callback = await browser.deny(await browser.leave(await begin(server, client)))
    end = await browser.arrive(_with(callback, error_description="Call +1 555 0100 to win", error_uri="https://evil"))
    assert end.error == "denied"
    assert (
        end.told["error_description"]
        == "Access was denied at GitHub, so nothing was connected. Begin again to allow it."
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("temporarily_unavailable", "service_unreachable"),
        ("redirect_uri_mismatch", "operator_misconfigured"),
        ("<script>alert(1)</script>", "service_refused"),
    ],
)
async def test_what_a_service_says_has_a_stable_code(
    server: TetherServer, client: Client, browser: Browser, said: str, told: str
) -> None:
    callback = await browser.deny(await browser.leave(await begin(server, client)))
    assert (await browser.arrive(_with(callback, error=said))).error == told


async def test_a_service_that_is_down_at_the_exchange_ends_the_flow(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    await server.sandbox.set_down("github", True)
    try:
        end = await browser.arrive(callback)
    finally:
        await server.sandbox.set_down("github", False)
    assert end.error == "service_unreachable"
    assert (await browser.arrive(callback)).error == "replayed"


@pytest.mark.parametrize("code", ["", "of-somebody-else"])
async def test_a_code_that_isnt_one_is_refused(
    server: TetherServer, client: Client, browser: Browser, code: str
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    assert (await browser.arrive(_with(callback, code=code))).error == "service_refused"


async def test_the_operators_mistake_is_told_as_the_operators(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    await register(server.sandbox, "github", secrets.token_hex(20))
    assert (await browser.arrive(callback)).error == "operator_misconfigured"


async def test_a_code_stolen_from_another_flow_doesnt_fit(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    """The attacker's code, injected into the victim's callback: the verifier of the victim's flow doesn't match."""
    async with a_browser() as attacker:
        stolen = await attacker.consent(await attacker.leave(await begin(server, client)), ADA)
    callback = await browser.consent(await browser.leave(await begin(server, client)), ADA)
    assert (await browser.arrive(_with(callback, code=query_of(stolen)["code"]))).error == "service_refused"


@pytest.mark.parametrize("step", ["start", "callback", "completion"])
async def test_each_step_has_its_time(server: TetherServer, client: Client, browser: Browser, step: str) -> None:
    url = await begin(server, client)
    if step == "start":
        await _pass_time(server)
        assert (await browser.arrive(url)).error == "expired"
        return
    callback = await browser.consent(await browser.leave(url), ADA)
    if step == "callback":
        await _pass_time(server)
        assert (await browser.arrive(callback)).error == "expired"
        return
    end = await browser.arrive(callback)
    await _pass_time(server)
    assert await client.user_error("completeAuthorization", code=end.code) == UNKNOWN_CODE


@pytest.mark.parametrize(
    "path",
    [
        "/oauth/start/nobodys",
        "/oauth/callback/github",
        "/oauth/callback/github?code=a&state=nobodys",
        "/oauth/callback/nothing?state=%ff%00<script>",
        "/oauth/callback/github?installation_id=1&setup_action=install",
    ],
)
async def test_what_nobody_began_leads_to_a_plain_page(server: TetherServer, browser: Browser, path: str) -> None:
    response = await browser.get(server.url + path)
    assert response.status_code == 404
    assert "<h1>Nothing was connected</h1>" in response.text
    assert "nobodys" not in response.text
    assert "<script" not in response.text
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers


async def test_only_who_may_manage_connections_begins_or_finishes(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    given = {"organizationId": await server.organization_id(), "service": "github"}
    mutation = (
        "mutation ($input: AuthorizeConnectionInput!) { authorizeConnection(input: $input) { authorizationUrl } }"
    )
    member = await server.member(Role.MEMBER)
    assert (await member.error(mutation, input=given))[0] == "FORBIDDEN"
    stranger = await server.member(Role.OWNER, "globex")
    error = await stranger.user_error("authorizeConnection", **given)
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "organizationId"])
    assert (await server.client().error(mutation, input=given))[0] == "UNAUTHENTICATED"


async def test_a_connection_of_another_organization_or_service_isnt_reconnected(
    server: TetherServer, client: Client
) -> None:
    other = await server.member(Role.OWNER, "globex")
    theirs = await server.connect(other, organizationId=await server.organization_id("globex"))
    own = await server.connect(client, service="slack")
    given = {"organizationId": await server.organization_id(), "service": "github"}
    foreign = await client.user_error("authorizeConnection", **given, connectionId=theirs["id"])
    missing = await client.user_error(
        "authorizeConnection", **given, connectionId=f"conn_{'0' * 8}-0000-7000-8000-{'0' * 12}"
    )
    assert foreign == missing
    assert foreign["code"] == "NOT_FOUND"
    assert (await client.user_error("authorizeConnection", **given, connectionId=own["id"]))["field"] == [
        "input",
        "service",
    ]


async def test_no_secret_of_a_flow_is_told_where_it_doesnt_belong(
    server: TetherServer, client: Client, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "websockets.client", "uvicorn", "uvicorn.error", "aiosqlite"):
        caplog.set_level(logging.WARNING, name)  # what the tests themselves call and serve with, and what stores
    url = await begin(server, client)
    page = await browser.leave(url)
    [proof] = [str(cookie.value) for cookie in browser.http.cookies.jar]
    callback = await browser.consent(page, ADA)
    stored = {"STARTED": repr(await server.rows("authorization_flows"))}
    end = await browser.arrive(callback)
    token = await waiting_token(server, end.code)
    stored["EXCHANGED"] = repr(await server.rows("authorization_flows"))
    connection = await complete(client, end.code, "name events { nodes { data } } credential { fingerprint }")
    stored["completed"] = repr([await server.rows(table) for table in ("connection_events", "tasks", "health_checks")])

    came = query_of(callback)
    canaries = {
        "start token": url.rpartition("/")[2],
        "state": came["state"],
        "service's code": came["code"],
        "proof": proof,
        "completion code": end.code,
        "access token": token,
    }
    logged = "".join(f"{record.getMessage()} {record.args!r} {record.exc_text or ''}\n" for record in caplog.records)
    told = {"log": logged, "answer": repr(connection), **stored}
    assert {
        (what, where) for what, secret in canaries.items() for where, text in told.items() if secret in text
    } == set()
    assert came["code"] not in str(end.response.headers)
    assert came["state"] not in str(end.response.headers)
    assert "tether-flow-" in end.response.headers["set-cookie"]  # taken back
    assert proof not in str(end.response.headers)


async def _slack_code(server: TetherServer, client: Client, browser: Browser, workspace: str) -> str:
    """A completion code."""
    await server.credential("slack", account={"id": f"T{workspace}", "login": workspace})
    return (await browser.authorize(await begin(server, client, service="slack"), workspace)).code


async def _pass_time(server: TetherServer) -> None:
    await server.alter(update(authorization_flows).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))


def _with(address: str, **query: str) -> str:
    """The address with some of its query replaced."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | query)))
