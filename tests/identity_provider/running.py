"""Runs the identity provider beside the tests, and its controls as methods. Used by every test that needs a real one.

Its packages are those of package-lock.json, fetched by the first test that needs them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.npm import node_with_packages
from tests.plain_http import NO_TLS

FOLDER: Final = Path(__file__).parent
CLIENT_ID: Final = "tether"
CLIENT_SECRET: Final = "tether-not-secret-but-long-enough-for-a-client"
_START_SECONDS: Final = 30.0


class IdentityProviderServer:
    """`url` is the issuer. Accounts live as long as it does, so each test that changes one makes one of its own."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def put_account(self, login: str, **claims: Any) -> str:
        """Create or replace somebody who may log in by this name; gives the subject that they are in tokens."""
        subject: str = (await self._control("account", login=login, claims=claims))["subject"]
        return subject

    async def access_token(
        self, login: str, *, audience: str, algorithm: str = "RS256", expires_in_seconds: int = 600
    ) -> str:
        """A token as a client gets it for an API when that person has signed in."""
        given = {"login": login, "audience": audience, "algorithm": algorithm, "expires_in": expires_in_seconds}
        token: str = (await self._control("token", **given))["token"]
        return token

    async def rotate_keys(self, *, retire: bool = False) -> None:
        """Sign with new keys from now on. The old ones stay published, unless they are retired."""
        await self._control("rotate", retire=retire)

    async def set_down(self, down: bool) -> None:
        """Answer everything but the controls with 503."""
        await self._control("availability", down=down)

    async def times_asked(self, path: str) -> int:
        """How often it was asked for that path, such as /jwks."""
        return int((await self._control("asked")).get(path, 0))

    async def _control(self, name: str, **members: Any) -> dict[str, Any]:
        response = await self._http.post(f"/control/{name}", json=members)
        assert response.status_code == 200, f"the identity provider refused: {response.text}"
        answer: dict[str, Any] = response.json()
        return answer


@asynccontextmanager
async def running_identity_provider() -> AsyncIterator[IdentityProviderServer]:
    """On a port of its own, for as long as the block lasts."""
    node = await asyncio.to_thread(node_with_packages, FOLDER)
    process = await asyncio.create_subprocess_exec(
        node, "server.js", cwd=FOLDER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            url = (await process.stdout.readline()).decode().strip()
        assert url.startswith("http://127.0.0.1:"), "the identity provider didn't start; it says why on standard error"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, verify=NO_TLS) as http:
            yield IdentityProviderServer(url, http)
    finally:
        process.stdin.close()  # by which it ends, as it does when the tests are killed
        await process.wait()
