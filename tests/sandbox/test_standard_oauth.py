"""The authorization servers of the simulated GitLab and OpenID provider keep to the standards."""

from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from sandbox.ready_made_clients import CLIENT_ID, CLIENT_SECRET
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

SERVERS = [("gitlab", "oauth/authorize", "oauth/token", "acme-dev"), ("openid", "authorize", "token", "alice")]


def asking(service: str, **changed: str) -> dict[str, str]:
    callback = f"http://127.0.0.1:8000/oauth/callback/{service}"
    return {"client_id": CLIENT_ID, "redirect_uri": callback, "response_type": "code", "state": "s 1"} | changed


def query_of(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@pytest.mark.parametrize(("service", "authorize", "token", "login"), SERVERS)
async def test_a_person_is_asked_and_may_decline(
    service: str, authorize: str, token: str, login: str, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    address = f"{sandbox.url}/{service}/{authorize}"

    page = await client.get(address, params=asking(service))
    declined = query_of(await client.post(address, data=asking(service, decision="cancel")))

    assert page.status_code == 200
    assert f"<option>{login}</option>" in page.text
    issuer = {"iss": f"{sandbox.url}/openid"} if service == "openid" else {}
    assert declined == {"error": "access_denied", "state": "s 1", **issuer}


@pytest.mark.parametrize(("service", "authorize", "token", "login"), SERVERS)
async def test_a_mistaken_request_stays_here_or_goes_back_with_its_error(
    service: str, authorize: str, token: str, login: str, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    address = f"{sandbox.url}/{service}/{authorize}"

    unknown = await client.get(address, params=asking(service, client_id="nobody"))
    elsewhere = await client.get(address, params=asking(service, redirect_uri="http://127.0.0.1:8000/other"))
    implicit = await client.get(address, params=asking(service, response_type="token"))
    scope = await client.get(address, params=asking(service, scope="fly"))

    assert (unknown.status_code, elsewhere.status_code) == (404, 400)
    assert (query_of(implicit)["error"], query_of(scope)["error"]) == ("unsupported_response_type", "invalid_scope")


@pytest.mark.parametrize(("service", "authorize", "token", "login"), SERVERS)
async def test_the_token_endpoint_says_what_is_wrong(
    service: str, authorize: str, token: str, login: str, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    address = f"{sandbox.url}/{service}/{token}"
    secret = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    stranger = await client.post(address, data=secret | {"client_secret": "x", "grant_type": "refresh_token"})
    nothing = await client.post(address, data={"grant_type": "refresh_token"})
    password = await client.post(address, data=secret | {"grant_type": "password"})
    code = await client.post(address, data=secret | {"grant_type": "authorization_code", "code": "x"})
    refresh = await client.post(address, data={"grant_type": "refresh_token"}, auth=(CLIENT_ID, CLIENT_SECRET))

    answers = [stranger, nothing, password, code, refresh]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (401, "invalid_client"),
        (401, "invalid_client"),
        (400, "unsupported_grant_type"),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ]


async def test_userinfo_refuses_in_the_words_of_rfc_6750(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    address = f"{sandbox.openid_url}/api/userinfo"

    answers = [
        await client.get(address),
        await client.get(address, headers={"authorization": "Bearer unknown"}),
        await client.get(address, headers={"authorization": "Bearer sandbox-openid-missing-scope"}),
    ]

    assert [(answer.status_code, answer.headers["www-authenticate"]) for answer in answers] == [
        (401, 'Bearer realm="sandbox"'),
        (401, 'Bearer realm="sandbox", error="invalid_token"'),
        (403, 'Bearer realm="sandbox", error="insufficient_scope", scope="openid"'),
    ]
    assert (await client.get(f"{sandbox.openid_url}/people/alice")).status_code == 200
    assert (await client.get(f"{sandbox.openid_url}/people/nobody")).status_code == 404
