"""The webhooks that the simulated GitHub sends, signed as GitHub's are. Used by its app API and the control API."""

import hmac
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256

import httpx2
import orjson
from starlette.requests import Request

from sandbox.github_answers import api_url, web_url
from sandbox.github_apps import Installation
from sandbox.github_objects import Json, account_json, installation_json, short_repository_json
from sandbox.state import SandboxState
from sandbox.tokens import GitHubRepository, Service

TIMEOUT_SECONDS = 10


class GitHubWebhooks:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def send(self, event: str, payload: Mapping[str, object], delivery_id: str | None = None) -> Json | None:
        """Once, as GitHub does; None where no address is set. `status` is None where nobody answered."""
        target = self._state.webhook_targets.get(Service.GITHUB)
        if target is None:
            return None
        body = orjson.dumps(payload)
        delivery_id = delivery_id or str(uuid.uuid4())
        headers = {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/sandbox",
            "x-github-delivery": delivery_id,
            "x-github-event": event,
            "x-github-hook-id": "1",
            "x-hub-signature-256": f"sha256={hmac.new(target.secret.encode(), body, sha256).hexdigest()}",
        }
        status = None
        async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            with suppress(httpx2.TransportError):  # nobody there: told by the missing status
                status = (await client.post(target.url, content=body, headers=headers)).status_code
        return {"id": delivery_id, "event": event, "status": status}

    async def send_installation(self, action: str, installation: Installation, request: Request) -> Json | None:
        """`request` says under which address the sandbox is reached."""
        return await self.send(
            "installation",
            self._about(action, installation, request)
            | {
                "repositories": [
                    short_repository_json(each, installation.account) for each in installation.repositories
                ],
            },
        )

    async def send_installation_repositories(
        self,
        installation: Installation,
        added: Sequence[GitHubRepository],
        removed: Sequence[GitHubRepository],
        request: Request,
    ) -> Json | None:
        owner = installation.account
        return await self.send(
            "installation_repositories",
            self._about("added" if added else "removed", installation, request)
            | {
                "repository_selection": "selected",
                "repositories_added": [short_repository_json(each, owner) for each in added],
                "repositories_removed": [short_repository_json(each, owner) for each in removed],
            },
        )

    def _about(self, action: str, installation: Installation, request: Request) -> Json:
        web, api = web_url(request), api_url(request)
        return {
            "action": action,
            "installation": installation_json(installation, web, api),
            "sender": account_json(installation.account, web, api),
        }
