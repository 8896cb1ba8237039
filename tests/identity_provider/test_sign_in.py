"""What the tests' identity provider does for a browser and a client: sign-in, consent, PKCE, a JWT for an audience."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from tests.identity_provider.running import CLIENT_ID, CLIENT_SECRET, IdentityProviderServer
from tests.plain_http import NO_TLS

pytestmark = pytest.mark.anyio

VERIFIER = secrets.token_urlsafe(32)
CALLBACK = "http://127.0.0.1:49152/sign-in/callback/main"
AUDIENCE = "https://tether.example.com"


@pytest.fixture
async def browser(identity_provider: IdentityProviderServer) -> AsyncIterator[httpx2.AsyncClient]:
    """Keeps cookies, and goes where it is sent on this host."""
    async with httpx2.AsyncClient(base_url=identity_provider.url, trust_env=False, verify=NO_TLS) as client:
        yield client


def authorization(**changes: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid profile email api",
        "resource": AUDIENCE,
        "state": "of-the-client",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **changes,
    }
    return f"/auth?{urlencode({name: value for name, value in asked.items() if value})}"


async def arrive(browser: httpx2.AsyncClient, response: httpx2.Response) -> httpx2.Response | dict[str, str]:
    """The page that the browser ends at; or what it brings along where it is sent to the client."""
    while response.is_redirect:
        location = response.headers["location"]
        if location.startswith(CALLBACK):
            return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        response = await browser.get(location)
    return response


async def submit(
    browser: httpx2.AsyncClient, page: httpx2.Response | dict[str, str], form: str, **fields: str
) -> httpx2.Response | dict[str, str]:
    """What comes of the form with that ending."""
    assert isinstance(page, httpx2.Response)
    [action] = re.findall(rf'action="(/interaction/[^"]+/{form})"', page.text)
    return await arrive(browser, await browser.post(action, data=fields))


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def test_who_signs_in_and_agrees_comes_back_with_a_code_for_tokens(
    identity_provider: IdentityProviderServer, browser: httpx2.AsyncClient
) -> None:
    page = await arrive(browser, await browser.get(authorization()))
    page = await submit(browser, page, "login", login="nobody")
    assert isinstance(page, httpx2.Response)
    assert "There is nobody of this name here." in page.text
    page = await submit(browser, page, "login", login="ada")
    brought = await submit(browser, page, "consent")

    assert isinstance(brought, dict)
    assert (brought["state"], brought["iss"]) == ("of-the-client", identity_provider.url)
    grant = {"grant_type": "authorization_code", "code": brought["code"], "redirect_uri": CALLBACK}
    refused = await browser.post("/token", data=grant, auth=(CLIENT_ID, CLIENT_SECRET))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")  # who intercepts it has no verifier


async def test_the_tokens_say_who_it_is_and_for_whom(
    identity_provider: IdentityProviderServer, browser: httpx2.AsyncClient
) -> None:
    page = await arrive(browser, await browser.get(authorization()))
    brought = await submit(browser, await submit(browser, page, "login", login="ada"), "consent")
    assert isinstance(brought, dict)
    grant = {
        "grant_type": "authorization_code",
        "code": brought["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    tokens = (await browser.post("/token", data=grant, auth=(CLIENT_ID, CLIENT_SECRET))).json()

    identity, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
    assert (identity["aud"], identity["nonce"], access["aud"]) == (CLIENT_ID, "n", AUDIENCE)
    for claims in (identity, access):
        assert (claims["iss"], claims["sub"]) == (identity_provider.url, "subject-of-ada")
        assert (claims["name"], claims["email"], claims["email_verified"]) == ("Ada Lovelace", "ada@acme.example", True)


async def test_who_cancels_comes_back_with_an_error(browser: httpx2.AsyncClient) -> None:
    page = await arrive(browser, await browser.get(authorization()))
    brought = await submit(browser, page, "abort")
    assert isinstance(brought, dict)
    assert brought["error"] == "access_denied"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://127.0.0.1:49152/elsewhere"},
        {"redirect_uri": "https://evil.example/sign-in/callback/main"},
        {"client_id": "another"},
    ],
    ids=str,
)
async def test_a_client_that_is_not_known_so_is_not_sent_anybody(
    changes: dict[str, str], browser: httpx2.AsyncClient
) -> None:
    assert (await browser.get(authorization(**changes))).status_code == 400


async def test_without_a_challenge_there_is_no_code(browser: httpx2.AsyncClient) -> None:
    brought = await arrive(browser, await browser.get(authorization(code_challenge="", code_challenge_method="")))
    assert isinstance(brought, dict)
    assert brought["error"] == "invalid_request"
