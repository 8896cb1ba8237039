"""A sandbox over real HTTP in the test's own event loop, and its control API as methods. Used by every test that needs
GitHub or Slack.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import httpx2

from sandbox.app import create_app
from sandbox.serving import serving
from sandbox.state import Clock, utc_now


@dataclass(frozen=True, slots=True)
class SandboxCall:
    """A call as the sandbox saw it; `path` is the service's own, as `/user` or `/auth.test`."""

    method: str
    path: str
    token: str | None


class SandboxServer:
    def __init__(self, url: str, control: httpx2.AsyncClient) -> None:
        self.url = url
        self.github_url = f"{url}/github"
        self.github_api_url = f"{url}/github/api"
        self.slack_url = f"{url}/slack"
        self.slack_api_url = f"{url}/slack/api"
        self._control = control

    async def put_token(self, token: str, *, service: Literal["github", "slack"], **behaviour: object) -> None:
        """Create or replace a token. Keys: account, scopes, expires_at, quota, behaviour, behaviour_calls, status,
        retry_after_seconds, delay_seconds, body_bytes; for GitHub repositories, for Slack bot and channels."""
        document = {"service": service, **behaviour}
        _checked(await self._control.put(f"/_sandbox/tokens/{quote(token, safe='')}", json=document))

    async def forget_token(self, token: str) -> None:
        _checked(await self._control.delete(f"/_sandbox/tokens/{quote(token, safe='')}"))

    async def set_down(self, service: Literal["github", "slack"], down: bool) -> None:
        _checked(await self._control.put(f"/_sandbox/services/{service}", json={"down": down}))

    async def calls(self, token: str | None = None) -> list[SandboxCall]:
        """The calls of one token, oldest first; without one those of all, also of unknown tokens."""
        params = {} if token is None else {"token": token}
        answer = _checked(await self._control.get("/_sandbox/calls", params=params)).json()
        return [SandboxCall(call["method"], call["path"], call["token"]) for call in answer["calls"]]


@asynccontextmanager
async def running_sandbox(clock: Clock = utc_now) -> AsyncIterator[SandboxServer]:
    async with serving(create_app(clock)) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as control:
        yield SandboxServer(url, control)


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.is_error:
        raise ValueError(f"the sandbox refused: {response.status_code} {response.text}")
    return response
