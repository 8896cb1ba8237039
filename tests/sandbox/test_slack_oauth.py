"""The simulated Slack's OAuth v2: a page to click, codes, rotation, and tokens that end together."""

import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.sandbox.conftest import MovableClock
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback/slack"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class App:
    """A registered app, and the browser and the server that use it."""

    sandbox: SandboxServer
    http: httpx2.AsyncClient
    client_id: str
    secret: str

    async def visit(self, **changed: str) -> httpx2.Response:
        asked = {"client_id": self.client_id, "scope": "chat:write,team:read", "redirect_uri": REDIRECT_URI}
        return await self.http.get(f"{self.sandbox.slack_url}/oauth/v2/authorize", params=asked | changed)

    async def code(self, **changed: str) -> str:
        response = await self.visit(login="acme", **changed)
        return parse_qs(urlsplit(response.headers["location"]).query)["code"][0]

    async def access(self, **arguments: str) -> Json:
        address = f"{self.sandbox.slack_api_url}/oauth.v2.access"
        response = await self.http.post(address, data=arguments, auth=(self.client_id, self.secret))
        assert response.status_code == 200
        answer: Json = response.json()
        return answer

    async def installed(self) -> Json:
        return await self.access(code=await self.code(), redirect_uri=REDIRECT_URI)

    async def refreshed(self, refresh_token: str) -> Json:
        return await self.access(grant_type="refresh_token", refresh_token=refresh_token)

    async def call(self, method: str, token: str, **arguments: str) -> Json:
        headers = {"authorization": f"Bearer {token}"}
        address = f"{self.sandbox.slack_api_url}/{method}"
        answer: Json = (await self.http.post(address, headers=headers, data=arguments)).json()
        return answer


async def registered(sandbox: SandboxServer, http: httpx2.AsyncClient, access_lifetime_seconds: int | None) -> App:
    app = App(sandbox, http, f"{secrets.randbelow(10**9)}.1", secrets.token_hex(8))
    document = {
        "secret": app.secret,
        "redirect_uris": [REDIRECT_URI],
        "access_lifetime_seconds": access_lifetime_seconds,
    }
    response = await http.put(f"{sandbox.url}/_sandbox/clients/slack/{app.client_id}", json=document)
    assert response.status_code == 201
    return app


@pytest.fixture
async def rotating(sandbox: SandboxServer, client: httpx2.AsyncClient) -> App:
    return await registered(sandbox, client, 43_200)


@pytest.fixture
async def lasting(sandbox: SandboxServer, client: httpx2.AsyncClient) -> App:
    return await registered(sandbox, client, None)


async def test_a_browser_clicks_through_with_nothing_but_what_is_on_the_page(rotating: App) -> None:
    page = await rotating.visit(state='a"b')
    assert page.status_code == 200
    assert "chat:write, team:read" in page.text
    assert {"acme", "globex"} <= set(re.findall(r"<option>([^<]*)</option>", page.text))
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
    form = hidden | {"state": 'a"b', "login": "globex", "decision": "authorize"}

    response = await rotating.http.post(str(page.url), data=form)

    assert response.status_code == 302
    back = urlsplit(response.headers["location"])
    query = parse_qs(back.query)
    assert f"{back.scheme}://{back.netloc}{back.path}" == REDIRECT_URI
    assert query["state"] == ['a"b']
    answer = await rotating.access(code=query["code"][0], redirect_uri=REDIRECT_URI)
    assert answer["team"] == {"id": "T0GLOBEX1", "name": "Globex"}


async def test_cancelling_brings_access_denied(rotating: App) -> None:
    response = await rotating.visit(state="s", decision="cancel")
    assert response.headers["location"] == f"{REDIRECT_URI}?error=access_denied&state=s"


@pytest.mark.parametrize(
    "wrong", [{"client_id": "0"}, {"redirect_uri": "http://127.0.0.1:8000/oauth/callback/slack/x"}, {"scope": ""}]
)
async def test_a_request_that_is_wrong_stays_at_slack(rotating: App, wrong: dict[str, str]) -> None:
    response = await rotating.visit(login="acme", **wrong)
    assert (response.status_code, "location" in response.headers) == (400, False)


async def test_the_answer_to_a_code_is_as_slack_documents_it(rotating: App) -> None:
    answer = await rotating.installed()
    access_token, refresh_token = answer.pop("access_token"), answer.pop("refresh_token")
    assert (access_token[:5], refresh_token[:7]) == ("xoxb-", "xoxe-1-")
    assert answer == {
        "ok": True,
        "app_id": "A0SANDBOX",
        "authed_user": {"id": "U0PERSON"},
        "scope": "chat:write,team:read",
        "token_type": "bot",
        "bot_user_id": "U0ACMEBOT",
        "team": {"id": "T0ACME123", "name": "Acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "expires_in": 43_200,
    }
    known = await rotating.call("auth.test", access_token)
    assert (known["ok"], known["team_id"], known["expires_in"]) == (True, "T0ACME123", 43_200)
    missing = await rotating.call("conversations.list", access_token)
    assert (missing["error"], missing["provided"]) == ("missing_scope", "chat:write,team:read")


async def test_without_rotation_one_token_gathers_the_scopes_of_every_installation(lasting: App) -> None:
    first = await lasting.installed()
    second = await lasting.access(code=await lasting.code(scope="channels:read"), redirect_uri=REDIRECT_URI)
    assert "refresh_token" not in first
    assert "expires_in" not in first
    assert second["access_token"] == first["access_token"]
    assert second["scope"] == "chat:write,team:read,channels:read"
    await lasting.call("auth.revoke", first["access_token"])
    third = await lasting.installed()
    assert third["access_token"] != first["access_token"]
    assert (await lasting.call("auth.test", third["access_token"]))["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"code": "none", "redirect_uri": REDIRECT_URI}, "invalid_code"),
        ({"redirect_uri": REDIRECT_URI}, "invalid_code"),
        ({"grant_type": "refresh_token", "refresh_token": "none"}, "invalid_refresh_token"),
        ({"grant_type": "password"}, "invalid_grant_type"),
    ],
)
async def test_a_bad_grant_is_200_and_named(rotating: App, arguments: dict[str, str], error: str) -> None:
    assert await rotating.access(**arguments) == {"ok": False, "error": error}


async def test_a_client_is_known_by_header_or_by_arguments(rotating: App) -> None:
    address = f"{rotating.sandbox.slack_api_url}/oauth.v2.access"
    shown = {"client_id": rotating.client_id, "client_secret": rotating.secret}
    by_arguments = await rotating.http.post(
        address, data=shown | {"code": await rotating.code(), "redirect_uri": REDIRECT_URI}
    )
    assert by_arguments.json()["ok"] is True
    for arguments, headers, error in (
        ({"client_id": "0"}, {}, "invalid_client_id"),
        (shown | {"client_secret": "x"}, {}, "bad_client_secret"),
        ({}, {"authorization": "Basic %%"}, "invalid_client_id"),
        ({}, {}, "invalid_client_id"),
    ):
        response = await rotating.http.post(address, data=arguments, headers=headers)
        assert response.json() == {"ok": False, "error": error}


async def test_a_code_holds_ten_minutes_once_and_for_its_own_address(rotating: App, clock: MovableClock) -> None:
    elsewhere = await rotating.access(code=await rotating.code(), redirect_uri=f"{REDIRECT_URI}/x")
    assert elsewhere["error"] == "bad_redirect_uri"
    late = await rotating.code()
    clock.advance(minutes=10)
    assert (await rotating.access(code=late, redirect_uri=REDIRECT_URI))["error"] == "invalid_code"
    code = await rotating.code()
    taken = await rotating.access(code=code, redirect_uri=REDIRECT_URI)
    assert (await rotating.access(code=code, redirect_uri=REDIRECT_URI))["error"] == "invalid_code"
    assert (await rotating.call("auth.test", taken["access_token"]))["error"] == "token_revoked"


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(rotating: App) -> None:
    first = await rotating.installed()
    second = await rotating.refreshed(first["refresh_token"])
    third = await rotating.refreshed(second["refresh_token"])
    assert third["ok"] is True
    assert (await rotating.call("auth.test", third["access_token"]))["ok"] is True

    assert (await rotating.refreshed(first["refresh_token"]))["error"] == "invalid_refresh_token"

    assert (await rotating.call("auth.test", third["access_token"]))["error"] == "token_revoked"
    assert (await rotating.refreshed(third["refresh_token"]))["error"] == "invalid_refresh_token"
    counted = (await rotating.http.get(f"{rotating.sandbox.url}/_sandbox/clients/slack/{rotating.client_id}")).json()
    assert (counted["refreshes"], counted["reuses"]) == (2, 1)


async def test_a_token_that_rotates_ends_after_its_time(rotating: App, clock: MovableClock) -> None:
    answer = await rotating.installed()
    clock.advance(hours=12)
    assert (await rotating.call("auth.test", answer["access_token"]))["error"] == "token_expired"
    assert (await rotating.refreshed(answer["refresh_token"]))["ok"] is True


async def test_revoking_either_token_ends_both_and_a_test_of_it_none(rotating: App) -> None:
    for part in ("access_token", "refresh_token"):
        answer = await rotating.installed()
        tested = await rotating.call("auth.revoke", answer["access_token"], test="1")
        assert tested == {"ok": True, "revoked": False}
        assert await rotating.call("auth.revoke", answer[part]) == {"ok": True, "revoked": True}
        assert (await rotating.call("auth.test", answer["access_token"]))["error"] == "token_revoked"
        assert (await rotating.refreshed(answer["refresh_token"]))["error"] == "invalid_refresh_token"


async def test_a_token_made_by_hand_can_be_revoked_too(rotating: App) -> None:
    await rotating.sandbox.put_token("by-hand", service="slack")
    assert (await rotating.call("auth.revoke", "by-hand"))["revoked"] is True
    assert (await rotating.call("auth.test", "by-hand"))["error"] == "token_revoked"
    assert (await rotating.call("auth.revoke", "by-hand"))["error"] == "token_revoked"


async def test_uninstalling_ends_all_of_the_apps_tokens_in_that_workspace(rotating: App, lasting: App) -> None:
    one, two, other = await rotating.installed(), await rotating.installed(), await lasting.installed()
    shown = {"client_id": rotating.client_id, "client_secret": rotating.secret}
    for arguments, token, error in (
        ({"client_id": "0"}, one, "invalid_client_id"),
        (shown | {"client_secret": "x"}, one, "bad_client_secret"),
        (shown, other, "client_id_token_mismatch"),
    ):
        assert (await rotating.call("apps.uninstall", token["access_token"], **arguments))["error"] == error

    assert await rotating.call("apps.uninstall", one["access_token"], **shown) == {"ok": True}

    for ended in (one, two):
        assert (await rotating.call("auth.test", ended["access_token"]))["error"] == "token_revoked"
        assert (await rotating.refreshed(ended["refresh_token"]))["ok"] is False
    assert (await lasting.call("auth.test", other["access_token"]))["ok"] is True


async def test_a_slack_that_is_down_answers_neither_browser_nor_server(rotating: App) -> None:
    await rotating.sandbox.set_down("slack", True)
    try:
        page = await rotating.visit()
        answer = await rotating.http.post(f"{rotating.sandbox.slack_api_url}/oauth.v2.access", data={})
    finally:
        await rotating.sandbox.set_down("slack", False)
    assert (page.status_code, answer.status_code) == (503, 503)
