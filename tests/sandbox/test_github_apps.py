"""The simulated GitHub's apps: calls signed by an app's key, installations, their tokens, and the control of both."""

from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.sandbox.conftest import START, MovableClock
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = int(START.timestamp())


class AppClient:
    """One app, calling as itself."""

    def __init__(self, sandbox: SandboxServer, client: httpx2.AsyncClient, app_id: str, pem: str) -> None:
        self._sandbox, self._client = sandbox, client
        self.app_id, self._key = app_id, RSAKey.import_key(pem)

    async def call(self, method: str, path: str, **claims: object) -> httpx2.Response:
        signed = {"iss": self.app_id, "iat": NOW - 60, "exp": NOW + 540} | claims
        token = jwt.encode({"alg": "RS256"}, signed, self._key, algorithms=["RS256"])
        return await self.call_with(token, method, path)

    async def call_with(self, token: str, method: str, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.request(
            method, self._sandbox.github_api_url + path, headers={"authorization": f"Bearer {token}", **named}
        )

    async def token(self, installation_id: int) -> str:
        answer = await self.call("POST", f"/app/installations/{installation_id}/access_tokens")
        assert answer.status_code == 201
        return str(answer.json()["token"])


@pytest.fixture
async def app(sandbox: SandboxServer, client: httpx2.AsyncClient, clock: MovableClock) -> AppClient:
    await sandbox.put_github_app("88", slug="caller", client_id="caller-client")
    made = AppClient(sandbox, client, "88", await sandbox.make_github_app_key("88"))
    await sandbox.put_installation(8800, app_id="88", suspended=False, quota={"limit": 100}, fresh_token_refusals=0)
    return made


async def test_an_app_sees_itself_and_its_installations(app: AppClient, sandbox: SandboxServer) -> None:
    assert (await app.call("GET", "/app")).json()["slug"] == "caller"
    assert (await app.call("GET", "/app", iss="caller-client")).status_code == 200
    found = (await app.call("GET", "/app/installations/8800")).json()
    assert (found["id"], found["app_id"], found["account"]["login"]) == (8800, 88, "acme-bot")
    assert found["permissions"]["metadata"] == "read"
    assert found["suspended_at"] is None
    await sandbox.put_installation(8800, suspended=True)
    assert (await app.call("GET", "/app/installations/8800")).json()["suspended_at"] == "2026-11-20T10:00:00Z"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"iat": NOW + 1}, 401),
        ({"iat": "now"}, 401),
        ({"exp": NOW}, 401),
        ({"exp": NOW + 601}, 401),
        ({"exp": None}, 401),
        ({"iss": "99"}, 404),
        ({"iss": None}, 404),
        ({"iss": ["88"]}, 404),
    ],
)
async def test_a_token_of_an_app_follows_githubs_rules(claims: dict[str, object], status: int, app: AppClient) -> None:
    assert (await app.call("GET", "/app", **claims)).status_code == status


async def test_another_apps_key_opens_nothing(
    app: AppClient, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    await sandbox.put_github_app("89", slug="other")
    other = AppClient(sandbox, client, "89", await sandbox.make_github_app_key("89"))

    assert (await other.call("GET", "/app", iss="88")).status_code == 401
    assert (await other.call("GET", "/app/installations/8800")).status_code == 404
    for garbage in ("x", "a.b.c", "..", "sandbox-github-acme"):
        assert (await app.call_with(garbage, "GET", "/app")).status_code in {401, 404}


async def test_an_installations_token_lists_its_repositories_with_etags_and_a_quota(
    app: AppClient, sandbox: SandboxServer, clock: MovableClock
) -> None:
    token = await app.token(8800)
    path = "/installation/repositories?per_page=5"
    first = await app.call_with(token, "GET", path)
    assert (first.json()["total_count"], len(first.json()["repositories"])) == (12, 5)
    assert first.links["next"]["url"].endswith("/installation/repositories?per_page=5&page=2")
    assert first.headers["x-ratelimit-remaining"] == "99"
    unchanged = await app.call_with(token, "GET", path, if_none_match=first.headers["etag"])
    assert (unchanged.status_code, unchanged.headers["x-ratelimit-remaining"]) == (304, "99")
    other_token = await app.token(8800)
    assert (await app.call_with(other_token, "GET", path)).headers["x-ratelimit-remaining"] == "98"
    assert (await app.call_with(token, "GET", "/user")).status_code == 403
    clock.advance(hours=1)
    assert (await app.call_with(token, "GET", path)).status_code == 401


async def test_a_token_ends_with_its_installation_or_by_itself(app: AppClient, sandbox: SandboxServer) -> None:
    token, other = await app.token(8800), await app.token(8800)
    assert (await app.call_with(token, "DELETE", "/installation/token")).status_code == 204
    assert (await app.call_with(token, "GET", "/installation/repositories")).status_code == 401
    await sandbox.put_installation(8800, suspended=True)
    assert (await app.call_with(other, "GET", "/installation/repositories")).status_code == 403
    assert (await app.call("POST", "/app/installations/8800/access_tokens")).status_code == 403
    await sandbox.put_installation(8800, suspended=False)
    assert (await app.call("DELETE", "/app/installations/8800")).status_code == 204
    assert (await app.call_with(other, "GET", "/installation/repositories")).status_code == 401
    assert (await app.call("GET", "/app/installations/8800")).status_code == 404


async def test_a_fresh_token_may_be_unknown_for_a_while(app: AppClient, sandbox: SandboxServer) -> None:
    await sandbox.put_installation(8800, fresh_token_refusals=2)
    token = await app.token(8800)

    statuses = [(await app.call_with(token, "GET", "/installation/repositories")).status_code for _ in range(3)]

    assert statuses == [401, 401, 200]


async def test_a_persons_token_lists_no_installations_repositories(app: AppClient) -> None:
    for path in ("/installation/repositories", "/installation/token"):
        method = "DELETE" if path.endswith("token") else "GET"
        assert (await app.call_with("sandbox-github-acme", method, path)).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "document", "keys"),
    [
        ("PUT", "github/apps/x", {}, [""]),
        ("PUT", "github/apps/90", {"slug": 1, "colour": 1}, ["slug", "colour"]),
        ("PUT", "github/installations/90", {"app_id": "none", "users": "me"}, ["app_id", "users"]),
        ("PUT", "github/installations/90", {"permissions": {"metadata": 1}}, ["permissions"]),
        ("POST", "github/deliveries", {"event": "", "payload": []}, ["event", "payload"]),
        ("PUT", "clients/github/x", {"secret": "s"}, ["redirect_uris"]),
        ("PUT", "clients/github/x", {"redirect_uris": "x", "access_lifetime_seconds": "1"}, None),
        ("PUT", "webhooks/github", {"url": "http://127.0.0.1/"}, ["secret"]),
    ],
)
async def test_mistakes_are_422_and_named_by_key(
    method: str,
    path: str,
    document: dict[str, Any],
    keys: list[str] | None,
    sandbox: SandboxServer,
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.request(method, f"{sandbox.url}/_sandbox/{path}", json=document)

    assert answer.status_code == 422
    if keys is not None:
        assert [problem["key"] for problem in answer.json()["problems"]] == keys


async def test_what_is_not_there_is_404_and_an_unset_address_409(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    control = f"{sandbox.url}/_sandbox"
    assert (await client.delete(f"{control}/github/installations/1")).status_code == 404
    assert (await client.post(f"{control}/github/apps/1/key")).status_code == 404
    assert (await client.get(f"{control}/clients/github/none")).status_code == 404
    assert (await client.put(f"{control}/clients/nowhere/none", json={})).status_code == 404
    assert (await client.delete(f"{control}/webhooks/github")).status_code == 404
    assert (await client.post(f"{control}/github/deliveries", json={"event": "ping"})).status_code == 409


async def test_a_delivery_that_nobody_takes_says_so(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.send_webhooks_to("github", "http://127.0.0.1:1/hooks", "not-secret")
    sent = await client.post(f"{sandbox.url}/_sandbox/github/deliveries", json={"event": "ping", "id": "known"})
    assert (await client.delete(f"{sandbox.url}/_sandbox/webhooks/github")).status_code == 204

    assert sent.json() == {"id": "known", "event": "ping", "status": None}


async def test_a_person_is_told_what_they_are_in_an_organization(
    app: AppClient, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    account = {"id": 91, "login": "Org-91", "type": "Organization"}
    await sandbox.put_installation(9100, app_id="88", account=account, users=["acme-bot"], owners=["globex-bot"])

    async def told(token: str, organization: str = "org-91") -> tuple[int, object]:
        answer = await app.call_with(token, "GET", f"/user/memberships/orgs/{organization}")
        return answer.status_code, answer.json().get("role")

    assert await told("sandbox-github-acme") == (200, "member")
    assert await told("sandbox-github-globex") == (200, "admin")
    assert await told("sandbox-github-acme", "acme-bot") == (404, None)
    assert await told("unknown") == (401, None)
