"""GitHubApi: the calls to one GitHub, at its API and its web. Used by everything in this folder that calls it."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from domain.entities.health import Json
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.secret import Secret
from domain.services.boundary import transport_fault
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import ServiceFault

SERVICE_ID: Final = "github"
SERVICE_NAME: Final = "GitHub"
API_VERSION: Final = "2022-11-28"  # the oldest that github.com and every supported Enterprise Server answer


class GitHubApi:
    """`url` is the REST API, `web_url` where people look: the operator's choice, not a tenant's."""

    def __init__(self, http: HttpClient, url: str, web_url: str, clock: Callable[[], datetime]) -> None:
        self.url = url.rstrip("/")
        self.web_url = web_url.rstrip("/")
        self.now = clock
        self._http = http

    async def get(self, path: str, bearer: Secret, *, etag: str | None = None) -> HttpAnswer | ServiceFault:
        """An answer of any status; a fault only where there is none. `path` begins with a slash."""
        conditional = {} if etag is None else {"If-None-Match": etag}
        return _answered(await self._http.get(self.url + path, headers=_bearer_headers(bearer) | conditional))

    async def send(
        self, method: str, path: str, bearer: Secret, body: Mapping[str, Json] | None = None
    ) -> HttpAnswer | ServiceFault:
        """As `get`, for what changes something: never tried a second time by itself."""
        headers, content = _bearer_headers(bearer), b""
        if body is not None:
            headers, content = headers | {"Content-Type": "application/json"}, json.dumps(body).encode()
        return _answered(await self._http.request(method, self.url + path, headers=headers, body=content))

    async def send_as_client(
        self, method: str, path: str, client: OAuthClient, body: Mapping[str, Json]
    ) -> HttpAnswer | ServiceFault:
        """As `send`, by the operator's OAuth client instead of anybody's token."""
        basic = b64encode(f"{client.client_id}:{client.client_secret.reveal()}".encode()).decode()
        headers = _HEADERS | {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return _answered(await self._http.request(method, self.url + path, headers=headers, body=content))

    async def post_form(self, web_path: str, form: Mapping[str, str]) -> HttpAnswer | ServiceFault:
        """To the web, which issues OAuth tokens."""
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        content = urlencode(form).encode()
        return _answered(await self._http.request("POST", self.web_url + web_path, headers=headers, body=content))


def _bearer_headers(bearer: Secret) -> dict[str, str]:
    return _HEADERS | {"Authorization": f"Bearer {bearer.reveal()}"}


def _answered(answer: HttpAnswer | HttpFault) -> HttpAnswer | ServiceFault:
    return transport_fault(SERVICE_ID, SERVICE_NAME, answer) if isinstance(answer, HttpFault) else answer


_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION}
