"""A sandbox over real HTTP in the test's own event loop, and its control API as methods. Used by every test that needs
GitHub or Slack.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2

from sandbox.app import create_app
from sandbox.serving import serving
from sandbox.state import Clock, utc_now
from tests.plain_http import NO_TLS

SandboxService = Literal["github", "slack", "gitlab", "openid"]


@dataclass(frozen=True, slots=True)
class SandboxCall:
    """A call as the sandbox saw it; `path` is the service's own, as `/user` or `/auth.test`."""

    method: str
    path: str
    token: str | None


@dataclass(frozen=True, slots=True)
class RefreshCount:
    """How often a client's refresh tokens were taken, and how often a used one was shown again."""

    taken: int
    reused: int


class SandboxServer:
    def __init__(self, url: str, control: httpx2.AsyncClient) -> None:
        self.url = url
        self.github_url = f"{url}/github"
        self.github_api_url = f"{url}/github/api"
        self.slack_url = f"{url}/slack"
        self.slack_api_url = f"{url}/slack/api"
        self.gitlab_url = f"{url}/gitlab"
        self.gitlab_api_url = f"{url}/gitlab/api/v4"
        self.openid_url = f"{url}/openid"
        self._control = control

    async def put_token(self, token: str, *, service: SandboxService, **behaviour: object) -> None:
        """Create or replace a token. Keys: account, scopes, expires_at, quota, behaviour, behaviour_calls, status,
        retry_after_seconds, delay_seconds, body_bytes; for GitHub repositories, for Slack bot and channels,
        for GitLab projects."""
        document = {"service": service, **behaviour}
        _checked(await self._control.put(f"/_sandbox/tokens/{quote(token, safe='')}", json=document))

    async def forget_token(self, token: str) -> None:
        _checked(await self._control.delete(f"/_sandbox/tokens/{quote(token, safe='')}"))

    async def set_down(self, service: SandboxService, down: bool) -> None:
        _checked(await self._control.put(f"/_sandbox/services/{service}", json={"down": down}))

    async def put_client(
        self, service: str, client_id: str, *, secret: str, redirect_uris: Sequence[str], **lifetimes: object
    ) -> None:
        """Register or replace an OAuth client. Keys: access_lifetime_seconds, refresh_lifetime_seconds (null: without
        end), refresh_ends_access."""
        document = {"secret": secret, "redirect_uris": list(redirect_uris), **lifetimes}
        _checked(await self._control.put(f"/_sandbox/clients/{service}/{client_id}", json=document))

    async def refreshes(self, service: str, client_id: str) -> RefreshCount:
        client = _checked(await self._control.get(f"/_sandbox/clients/{service}/{client_id}")).json()
        return RefreshCount(client["refreshes"], client["reuses"])

    async def put_github_app(self, app_id: str, **settings: object) -> None:
        """Create or change an app. Keys: slug, public_key (PEM), client_id, permissions."""
        _checked(await self._control.put(f"/_sandbox/github/apps/{app_id}", json=settings))

    async def make_github_app_key(self, app_id: str) -> str:
        """A new private key of the app, in PEM."""
        return _checked(await self._control.post(f"/_sandbox/github/apps/{app_id}/key")).text

    async def put_installation(self, installation_id: int, **settings: object) -> None:
        """Install or change. Keys: app_id, account, repositories, permissions, users and owners (logins), suspended,
        quota, fresh_token_refusals. Its webhooks have been sent when this returns."""
        _checked(await self._control.put(f"/_sandbox/github/installations/{installation_id}", json=settings))

    async def remove_installation(self, installation_id: int) -> None:
        _checked(await self._control.delete(f"/_sandbox/github/installations/{installation_id}"))

    async def github_repository(self, full_name: str, **changes: object) -> dict[str, Any]:
        """What callers have made there: issues, comments, pulls, dispatches. Keys to change: files (texts by path),
        branches, has_issues, tells_runs, moved, hurried, locked (issue 1)."""
        return await self._content("github/repositories", full_name, changes)

    async def gitlab_project(self, path: str, **changes: object) -> dict[str, Any]:
        """What callers have made there: issues, notes, merge_requests, pipelines. Keys to change: files (texts by
        path), branches, has_pipelines."""
        return await self._content("gitlab/projects", path, changes)

    async def slack_workspace(self, team_id: str) -> dict[str, Any]:
        """What callers have made there: messages, reactions, joined (ids of channels)."""
        return await self._content("slack/workspaces", team_id, {})

    async def _content(self, where: str, name: str, changes: Mapping[str, object]) -> dict[str, Any]:
        path = f"/_sandbox/{where}/{name}"
        asked = self._control.put(path, json=dict(changes)) if changes else self._control.get(path)
        content: dict[str, Any] = _checked(await asked).json()
        return content

    async def send_webhooks_to(self, service: str, url: str, secret: str) -> None:
        _checked(await self._control.put(f"/_sandbox/webhooks/{service}", json={"url": url, "secret": secret}))

    async def send_github_webhook(self, event: str, payload: Mapping[str, object]) -> str:
        """The id of the delivery, which has been answered when this returns."""
        sent = _checked(
            await self._control.post("/_sandbox/github/deliveries", json={"event": event, "payload": payload})
        )
        return str(sent.json()["id"])

    async def browse(self, address: str, **answers: str) -> dict[str, str]:
        """Go to a service's page and answer it as a person does (`login`, `decision`): what comes back from there."""
        answer = await self._control.post(address, data=answers)
        if answer.status_code != 302:
            raise ValueError(f"the sandbox didn't send the browser on: {answer.status_code} {answer.text}")
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def calls(self, token: str | None = None) -> list[SandboxCall]:
        """The calls of one token, oldest first; without one those of all, also of unknown tokens."""
        params = {} if token is None else {"token": token}
        answer = _checked(await self._control.get("/_sandbox/calls", params=params)).json()
        return [SandboxCall(call["method"], call["path"], call["token"]) for call in answer["calls"]]


@asynccontextmanager
async def running_sandbox(clock: Clock = utc_now) -> AsyncIterator[SandboxServer]:
    async with (
        serving(create_app(clock)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, verify=NO_TLS) as control,
    ):
        yield SandboxServer(url, control)


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.is_error:
        raise ValueError(f"the sandbox refused: {response.status_code} {response.text}")
    return response
