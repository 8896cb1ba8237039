"""The simulated GitHub's pages to authorize and install at, and its token endpoint, as GitHub documents them."""

import re
from urllib.parse import parse_qsl

import httpx2
import pytest

from tests.sandbox.conftest import MovableClock
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

BACK = "https://tether.example/back"
CLIENT = {"client_id": "plain", "client_secret": "plain-not-secret"}


@pytest.fixture
async def plain(sandbox: SandboxServer) -> None:
    """A plain OAuth app."""
    await sandbox.put_client("github", "plain", secret="plain-not-secret", redirect_uris=[BACK])


@pytest.fixture
async def app(sandbox: SandboxServer) -> None:
    """A GitHub App and its client."""
    await sandbox.put_client("github", "app-client", secret="app-not-secret", redirect_uris=[BACK])
    await sandbox.put_github_app("77", slug="clickable", client_id="app-client")


def authorize(sandbox: SandboxServer, **parameters: str) -> str:
    asked = {"client_id": "plain", "redirect_uri": BACK, "state": "s", "scope": "repo gist"} | parameters
    return f"{sandbox.github_url}/login/oauth/authorize?{httpx2.QueryParams(asked)}"


async def post(
    sandbox: SandboxServer, client: httpx2.AsyncClient, accept: str = "application/json", **form: str
) -> httpx2.Response:
    address = f"{sandbox.github_url}/login/oauth/access_token"
    return await client.post(address, data=CLIENT | form, headers={"accept": accept})


@pytest.mark.usefixtures("plain")
async def test_the_page_can_be_clicked(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    page = await client.get(authorize(sandbox, state='"><script>'))
    assert page.status_code == 200
    assert "repo, gist" in page.text
    assert "<option>acme-bot</option>" in page.text
    assert "<script>" not in page.text
    fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', page.text))
    assert fields["redirect_uri"] == BACK
    for decision in ("authorize", "cancel"):
        assert f'name="decision" value="{decision}"' in page.text


@pytest.mark.usefixtures("plain")
async def test_authorizing_sends_a_code_and_cancelling_an_error(sandbox: SandboxServer) -> None:
    back = await sandbox.browse(authorize(sandbox), login="acme-bot", decision="authorize")
    assert (back["state"], len(back["code"])) == ("s", 20)

    assert (await sandbox.browse(authorize(sandbox), decision="cancel"))["error"] == "access_denied"


@pytest.mark.usefixtures("plain")
async def test_a_login_in_the_address_answers_at_once(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    answer = await client.get(authorize(sandbox, login="acme-bot"))

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{BACK}?code=")


@pytest.mark.usefixtures("plain")
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    for address in (
        authorize(sandbox, redirect_uri="https://evil.example", login="acme-bot"),
        authorize(sandbox, client_id="unknown", login="acme-bot"),
    ):
        answer = await client.get(address)
        assert answer.status_code in {400, 404}
        assert "location" not in answer.headers


@pytest.mark.usefixtures("plain")
async def test_tokens_come_as_json_or_as_a_form(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    code = (await sandbox.browse(authorize(sandbox), login="acme-bot"))["code"]
    answer = (await post(sandbox, client, code=code, redirect_uri=BACK)).json()
    assert answer["access_token"].startswith("gho_")
    assert answer["refresh_token"].startswith("ghr_")
    assert (answer["token_type"], answer["scope"], answer["expires_in"]) == ("bearer", "repo,gist", 28800)
    assert answer["refresh_token_expires_in"] == 180 * 86400

    code = (await sandbox.browse(authorize(sandbox), login="acme-bot"))["code"]
    form = await post(sandbox, client, accept="*/*", code=code, redirect_uri=BACK)
    assert form.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert dict(parse_qsl(form.text))["access_token"].startswith("gho_")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"client_id": "unknown"}, "incorrect_client_credentials"),
        ({"code": "unknown"}, "bad_verification_code"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "bad_refresh_token"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_errors_are_in_the_body_of_a_200(
    form: dict[str, str], error: str, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    answer = await post(sandbox, client, **form)

    assert (answer.status_code, answer.json()["error"]) == (200, error)


@pytest.mark.usefixtures("plain")
async def test_an_access_token_ends_after_eight_hours(
    sandbox: SandboxServer, client: httpx2.AsyncClient, clock: MovableClock
) -> None:
    code = (await sandbox.browse(authorize(sandbox), login="acme-bot"))["code"]
    token = (await post(sandbox, client, code=code, redirect_uri=BACK)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    user = await client.get(f"{sandbox.github_api_url}/user", headers=headers)
    assert (user.json()["login"], user.headers["x-oauth-scopes"]) == ("acme-bot", "repo, gist")
    clock.advance(hours=8)

    assert (await client.get(f"{sandbox.github_api_url}/user", headers=headers)).status_code == 401


@pytest.mark.usefixtures("plain")
async def test_a_client_revokes_its_own_tokens_only(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    code = (await sandbox.browse(authorize(sandbox), login="acme-bot"))["code"]
    token = (await post(sandbox, client, code=code, redirect_uri=BACK)).json()["access_token"]
    address = f"{sandbox.github_api_url}/applications/plain/token"

    async def delete(password: str, body: object) -> int:
        answer = await client.request("DELETE", address, auth=("plain", password), json=body)
        return answer.status_code

    assert await delete("wrong", {"access_token": token}) == 401
    assert await delete("plain-not-secret", {}) == 422
    assert await delete("plain-not-secret", {"access_token": "sandbox-github-acme"}) == 404
    assert await delete("plain-not-secret", {"access_token": token}) == 204
    assert await delete("plain-not-secret", {"access_token": token}) == 404


@pytest.mark.usefixtures("app")
async def test_installing_comes_back_with_a_code_and_what_was_done(sandbox: SandboxServer) -> None:
    address = f"{sandbox.github_url}/apps/clickable/installations/new?state=s"

    first = await sandbox.browse(address, login="acme-bot", account="globex-bot")
    second = await sandbox.browse(address, login="acme-bot", account="globex-bot")
    asked = await sandbox.browse(address, login="acme-bot", decision="request")

    assert (first["setup_action"], second["setup_action"], asked["setup_action"]) == ("install", "update", "request")
    assert first["installation_id"] == second["installation_id"]
    assert "installation_id" not in asked
    assert {first["state"], second["state"], asked["state"]} == {"s"}


@pytest.mark.usefixtures("app")
async def test_the_installation_page_can_be_clicked(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    page = await client.get(f"{sandbox.github_url}/apps/clickable/installations/new")

    assert "contents: read" in page.text
    assert (await client.get(f"{sandbox.github_url}/apps/unknown/installations/new")).status_code == 404


async def test_a_client_is_there_from_the_start(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    back = "http://127.0.0.1:8123/oauth/callback/github"
    address = authorize(sandbox, client_id="sandbox-client", redirect_uri=back, login="acme-bot")

    assert (await client.get(address)).headers["location"].startswith(f"{back}?code=")
