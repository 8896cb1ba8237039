"""A Tether whose operator has registered clients at the sandbox, and a browser that goes through their pages.

Used by the tests of authorizeConnection, of the browser's way and of completeAuthorization.
"""

import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2

from domain.credential_secrets import OAuthSecret
from domain.credential_vault import CredentialVault
from domain.one_time_tokens import one_time_hash
from domain.sealed_grant import open_grant
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

RETURN_TO: Final = "https://app.example.com/connected"
POPUP_OPENER: Final = "https://app.example.com"
CLIENT_ID: Final = "tether-in-tests"


@asynccontextmanager
async def authorizing_tether(
    database_url: str, sandbox: SandboxServer, encryption_key: str, **variables: str
) -> AsyncIterator[TetherServer]:
    """Clients of GitHub and Slack; browsers may be sent on to RETURN_TO."""
    secret = secrets.token_hex(20)
    for service in ("github", "slack"):
        await register(sandbox, service, secret)
    async with running_tether(
        database_url,
        sandbox,
        encryption_key,
        **{
            "TETHER_GITHUB_CLIENT_ID": CLIENT_ID,
            "TETHER_GITHUB_CLIENT_SECRET": secret,
            "TETHER_SLACK_CLIENT_ID": CLIENT_ID,
            "TETHER_SLACK_CLIENT_SECRET": secret,
            "TETHER_RETURN_TO": f"{RETURN_TO},https://app.example.com/other",
            **variables,
        },
    ) as server:
        yield server


async def register(sandbox: SandboxServer, service: str, secret: str) -> None:
    """Our client at a simulated service; its redirect address counts with any port of this machine."""
    redirect_uri = f"http://127.0.0.1/oauth/callback/{service}"
    await sandbox.put_client(service, CLIENT_ID, secret=secret, redirect_uris=[redirect_uri])


async def begin(server: TetherServer, client: Client, **members: Any) -> str:
    """The authorizationUrl of a flow that begins."""
    given = {"organizationId": await server.organization_id(), "service": "github", "returnTo": RETURN_TO, **members}
    payload = await client.mutate("authorizeConnection", "authorizationUrl expiresAt", **given)
    assert payload["userErrors"] == []
    url: str = payload["authorizationUrl"]
    return url


async def complete(client: Client, code: str, selection: str = "id") -> Any:
    """The connection that comes of a completion code."""
    payload = await client.mutate("completeAuthorization", f"connection {{ {selection} }}", code=code)
    assert payload["userErrors"] == []
    return payload["connection"]


async def waiting_token(server: TetherServer, code: str) -> str:
    """The access token that waits, sealed, for a completion code."""
    async with server.tether.units_of_work.reading_everywhere() as unit:
        flow = await unit.authorization_flows.find(code_hash=one_time_hash(code))
    assert flow is not None
    grant = open_grant(CredentialVault(server.tether.encryption), flow)
    assert grant is not None
    assert isinstance(grant.secret, OAuthSecret)
    return grant.secret.access_token.reveal()


async def withdraw_at_github(server: TetherServer, token: str) -> None:
    """The person withdraws what they have granted, the refresh token with it."""
    client = server.tether.settings.services.github_client
    assert client is not None
    async with httpx2.AsyncClient(
        trust_env=False, verify=NO_TLS, auth=(client.client_id, client.client_secret.reveal())
    ) as http:
        address = f"{server.sandbox.github_api_url}/applications/{client.client_id}/token"
        withdrawn = await http.request("DELETE", address, json={"access_token": token})
    assert withdrawn.status_code == 204, withdrawn.text


async def accepted_at_github(server: TetherServer, token: str) -> bool:
    """Whether the simulated GitHub takes the token."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        answer = await http.get(f"{server.sandbox.github_api_url}/user", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code == 200


@dataclass(frozen=True, slots=True)
class End:
    """Where a browser ended: what it was told there, and the response that told it."""

    response: httpx2.Response
    told: dict[str, str]

    @property
    def code(self) -> str:
        assert set(self.told) == {"code"}, self.told
        return self.told["code"]

    @property
    def error(self) -> str:
        assert set(self.told) == {"error", "error_description"}, self.told
        return self.told["error"]


class Browser:
    """Keeps cookies, as one person's browser does, and follows no address by itself."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def get(self, url: str, **headers: str) -> httpx2.Response:
        return await self.http.get(url, headers=headers)

    async def leave(self, authorization_url: str) -> str:
        """Take the link; where the service's page is."""
        response = await self.get(authorization_url)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def consent(self, page: str, login: str) -> str:
        """Agree at the service as one of its people; where that leads."""
        shown = await self.get(page)
        assert shown.status_code == 200, shown.text
        return await self._decide(page, decision="authorize", login=login)

    async def deny(self, page: str) -> str:
        return await self._decide(page, decision="cancel")

    async def arrive(self, callback: str) -> End:
        """Come back to Tether, and see what `returnTo`, or an opener, is told."""
        response = await self.get(callback)
        if response.status_code == 303:
            location = response.headers["location"]
            assert location.startswith(f"{RETURN_TO}?")
            return End(response, {name: value for name, [value] in parse_qs(urlsplit(location).query).items()})
        return End(response, popup_message(response.text)["data"] if "application/json" in response.text else {})

    async def authorize(self, authorization_url: str, login: str) -> End:
        """The whole way."""
        return await self.arrive(await self.consent(await self.leave(authorization_url), login))

    async def _decide(self, page: str, **decision: str) -> str:
        response = await self.http.post(page, data=decision)
        assert response.is_redirect, response.text
        return response.headers["location"]


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS, follow_redirects=False) as http:
        yield Browser(http)


def popup_message(page: str) -> dict[str, Any]:
    """What a popup's page has for its script: `data` for the opener, and the only `origin` that may read it."""
    found = re.search(r'<script type="application/json" id="message">(.*?)</script>', page)
    assert found is not None, page
    message: dict[str, Any] = json.loads(found[1])
    return message


def query_of(url: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
