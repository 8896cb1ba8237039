"""authorizeConnection, a browser's way to the service and back, completeAuthorization: what comes of them."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any, TypedDict

import pytest

from domain.entities.user import Role
from tests.gql.authorizing import (
    CLIENT_ID,
    POPUP_OPENER,
    RETURN_TO,
    Browser,
    a_browser,
    accepted_at_github,
    authorizing_tether,
    begin,
    complete,
    popup_message,
    query_of,
    waiting_token,
    withdraw_at_github,
)
from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


class Account(TypedDict):
    id: int
    login: str


ADA: Account = {"id": 70001, "login": "ada-at-github"}
BOB: Account = {"id": 70002, "login": "bob-at-github"}
CONNECTION = """
id name status service { id } labels settings version externalAccount { id name }
credential { kind generation expiresAt scopes } events { nodes { type data } }
"""


@pytest.fixture
async def server(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    async with authorizing_tether(database_url, sandbox, encryption_key) as running:
        for account in (ADA, BOB):
            await running.credential(account=account)
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as opened:
        yield opened


@pytest.fixture
async def client(server: TetherServer) -> Client:
    return await server.member(Role.ADMIN)


async def test_a_person_connects_github_in_the_browser(server: TetherServer, client: Client, browser: Browser) -> None:
    url = await begin(server, client, labels={"team": "platform"}, settings={"requiredScopes": ["repo"]})
    page = await browser.leave(url)

    asked = query_of(page)
    assert page.startswith(f"{server.sandbox.github_url}/login/oauth/authorize?")
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == f"{server.url}/oauth/callback/github"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "repo"

    end = await browser.arrive(await browser.consent(page, ADA["login"]))
    connection = await complete(client, end.code, CONNECTION)

    assert connection["status"] == "ACTIVE"
    assert connection["name"] == ADA["login"]
    assert connection["externalAccount"] == {"id": str(ADA["id"]), "name": ADA["login"]}
    assert connection["labels"] == {"team": "platform"}
    assert connection["settings"] == {"requiredScopes": ["repo"]}
    assert connection["credential"] | {"expiresAt": None} == {
        "kind": "OAUTH2",
        "generation": 1,
        "expiresAt": None,
        "scopes": ["repo"],
    }
    assert connection["credential"]["expiresAt"] is not None
    events = list(reversed(connection["events"]["nodes"]))
    assert [event["type"] for event in events] == [
        "CREATED",
        "AUTHORIZED",
        "HEALTH_CHECKED",
        "HEALTH_CHANGED",
        "STATUS_CHANGED",
    ]
    assert events[1]["data"] == {"method": "OAUTH2", "account": ADA["login"], "previousAccount": None}
    assert await server.rows("authorization_flows") == []


async def test_what_is_to_be_done_later_is_put_down_with_the_connection(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    end = await browser.authorize(await begin(server, client), ADA["login"])
    await complete(client, end.code)

    [connection] = await server.rows("service_connections")
    tasks = {task["kind"] for task in await server.rows("tasks") if task["subject_id"] == connection["id"]}
    assert {"REFRESH_CREDENTIAL", "SYNC_REPOSITORIES"} <= tasks


async def test_a_popup_tells_its_opener_and_nobody_else(server: TetherServer, client: Client, browser: Browser) -> None:
    url = await begin(server, client, popup=True)
    left = await browser.get(url)
    assert left.headers["cross-origin-opener-policy"] == "unsafe-none"
    end = await browser.arrive(await browser.consent(left.headers["location"], ADA["login"]))

    message = popup_message(end.response.text)
    assert message["origin"] == POPUP_OPENER
    assert message["data"] == {"type": "tether:authorization", "code": end.told["code"]}
    assert end.response.headers["cross-origin-opener-policy"] == "unsafe-none"
    policy = end.response.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "script-src 'sha256-" in policy
    assert f'href="{RETURN_TO}?code={end.told["code"]}"' in unescape(end.response.text)
    assert (await complete(client, end.told["code"], "status")) == {"status": "ACTIVE"}


async def test_a_popup_also_tells_what_went_wrong(server: TetherServer, client: Client, browser: Browser) -> None:
    page = await browser.leave(await begin(server, client, popup=True))
    end = await browser.arrive(await browser.deny(page))
    assert end.told == {
        "type": "tether:authorization",
        "error": "denied",
        "errorDescription": "Access was denied at GitHub, so nothing was connected. Begin again to allow it.",
    }


async def test_without_return_to_a_page_shows_what_to_run(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    end = await browser.authorize(await begin(server, client, returnTo=None), ADA["login"])

    assert end.response.status_code == 200
    shown = re.search(r"<pre>(.*?)</pre>", end.response.text, re.DOTALL)
    assert shown is not None
    done = await client.data(unescape(shown[1]))
    assert done["completeAuthorization"]["connection"]["status"] == "ACTIVE"
    assert done["completeAuthorization"]["userErrors"] == []


async def test_two_tabs_at_once_each_find_their_own_way(server: TetherServer, client: Client, browser: Browser) -> None:
    pages = [await browser.leave(await begin(server, client, name=name)) for name in ("First", "Second")]
    callbacks = [await browser.consent(page, person["login"]) for page, person in zip(pages, (ADA, BOB), strict=True)]
    ends = await asyncio.gather(*(browser.arrive(callback) for callback in reversed(callbacks)))
    connections = [await complete(client, end.code, "name externalAccount { name }") for end in ends]
    assert connections == [
        {"name": "Second", "externalAccount": {"name": BOB["login"]}},
        {"name": "First", "externalAccount": {"name": ADA["login"]}},
    ]


async def test_a_name_that_is_taken_by_then_gets_a_number(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    url = await begin(server, client, name="Code")
    await server.connect(client, name="Code")
    end = await browser.authorize(url, ADA["login"])
    assert await complete(client, end.code, "name") == {"name": "Code 2"}


async def test_slack_is_connected_without_pkce(server: TetherServer, client: Client, browser: Browser) -> None:
    page = await browser.leave(await begin(server, client, service="slack"))
    assert "code_challenge" not in query_of(page)
    await server.credential("slack", account={"id": "T0FLOW", "login": "flow"})
    end = await browser.arrive(await browser.consent(page, "flow"))
    connection = await complete(client, end.code, "status service { id } credential { kind }")
    assert connection == {"status": "ACTIVE", "service": {"id": "slack"}, "credential": {"kind": "OAUTH2"}}


async def test_reconnecting_brings_an_expired_connection_back_with_all_that_it_has(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    connected = await _expired(server, client, browser)

    end = await browser.authorize(await begin(server, client, connectionId=connected["id"]), ADA["login"])
    again = await complete(client, end.code, CONNECTION)

    kept = ("id", "name", "labels", "settings", "externalAccount")
    assert {name: again[name] for name in kept} == {name: connected[name] for name in kept}
    assert again["status"] == "ACTIVE"
    assert again["credential"]["generation"] == 2
    events = [event["type"] for event in again["events"]["nodes"]]
    assert events[:5] == ["STATUS_CHANGED", "HEALTH_CHANGED", "HEALTH_CHECKED", "CREDENTIALS_ROTATED", "AUTHORIZED"]
    assert events[-5:] == ["STATUS_CHANGED", "HEALTH_CHANGED", "HEALTH_CHECKED", "AUTHORIZED", "CREATED"]


async def test_reconnecting_as_another_account_is_refused_and_revoked(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    connected = await _expired(server, client, browser)

    end = await browser.authorize(await begin(server, client, connectionId=connected["id"]), BOB["login"])
    given = await waiting_token(server, end.code)
    assert await accepted_at_github(server, given)
    error = await client.user_error("completeAuthorization", code=end.code)

    assert (error["code"], error["expected"], error["actual"]) == ("ACCOUNT_MISMATCH", ADA["login"], BOB["login"])
    assert error["field"] == ["input", "code"]
    assert not await accepted_at_github(server, given)
    found = await client.data(
        "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { status } } }", id=connected["id"]
    )
    assert found["node"] == {"status": "EXPIRED"}


async def test_a_connection_becomes_another_accounts_where_that_is_allowed(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    connected = await _expired(server, client, browser)
    url = await begin(server, client, connectionId=connected["id"], allowAccountChange=True)
    again = await complete(client, (await browser.authorize(url, BOB["login"])).code, CONNECTION)

    assert (again["id"], again["name"], again["status"]) == (connected["id"], connected["name"], "ACTIVE")
    assert again["externalAccount"] == {"id": str(BOB["id"]), "name": BOB["login"]}
    authorized = next(event for event in again["events"]["nodes"] if event["type"] == "AUTHORIZED")
    assert authorized["data"] == {"method": "OAUTH2", "account": BOB["login"], "previousAccount": ADA["login"]}


async def test_a_service_that_is_down_at_completion_leaves_the_code_good(
    server: TetherServer, client: Client, browser: Browser
) -> None:
    end = await browser.authorize(await begin(server, client), ADA["login"])
    await server.sandbox.set_down("github", True)
    try:
        error = await client.user_error("completeAuthorization", code=end.code)
    finally:
        await server.sandbox.set_down("github", False)
    assert error["code"] == "SERVICE_UNREACHABLE"
    assert await complete(client, end.code, "status") == {"status": "ACTIVE"}


async def test_of_two_completions_at_once_one_connects(server: TetherServer, client: Client, browser: Browser) -> None:
    end = await browser.authorize(await begin(server, client), ADA["login"])
    payloads = await asyncio.gather(
        *(client.mutate("completeAuthorization", "connection { id }", code=end.code) for _ in range(3))
    )
    assert sorted(len(payload["userErrors"]) for payload in payloads) == [0, 1, 1]
    assert len(await server.rows("service_connections")) == 1


async def _expired(server: TetherServer, client: Client, browser: Browser) -> Any:
    """A connection of Ada's that GitHub no longer accepts."""
    end = await browser.authorize(await begin(server, client, name="Code", labels={"a": "1"}), ADA["login"])
    token = await waiting_token(server, end.code)
    connected = await complete(client, end.code, CONNECTION)
    await withdraw_at_github(server, token)
    checked = await client.mutate("checkConnectionHealth", "connection { status }", connectionId=connected["id"])
    assert checked["connection"] == {"status": "EXPIRED"}
    return connected
