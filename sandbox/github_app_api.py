"""The part of the simulated GitHub's API that a GitHub App calls as itself, with a token that its private key signed.

Made in app.py.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64decode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.github_answers import api_url, entrance, json_answer, refusal, web_url
from sandbox.github_apps import App, Installation
from sandbox.github_headers import common_headers
from sandbox.github_objects import installation_json
from sandbox.github_webhooks import GitHubWebhooks
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, GitHubToken

LONGEST_JWT_SECONDS = 600
INSTALLATION_TOKEN_SECONDS = 3600
UNDECODABLE = "A JSON web token could not be decoded"

Endpoint = Callable[[Request, Installation], Response]


class GitHubAppApi:
    def __init__(self, state: SandboxState, webhooks: GitHubWebhooks) -> None:
        self._state = state
        self._webhooks = webhooks

    def routes(self) -> list[BaseRoute]:
        installation = "/github/api/app/installations/{installation_id:int}"
        return [
            Route("/github/api/app", self.get_app, methods=["GET"]),
            Route(installation, self.get_installation, methods=["GET"]),
            Route(installation, self.delete_installation, methods=["DELETE"]),
            Route(f"{installation}/access_tokens", self.create_token, methods=["POST"]),
        ]

    async def get_app(self, request: Request) -> Response:
        app = self._caller(request)
        if isinstance(app, Response):
            return app
        body = {"id": int(app.id), "slug": app.slug, "client_id": app.client_id, "permissions": app.permissions}
        return json_answer(200, body, {})

    async def get_installation(self, request: Request) -> Response:
        installation = self._installation(request)
        if isinstance(installation, Response):
            return installation
        return json_answer(200, installation_json(installation, web_url(request), api_url(request)), {})

    async def delete_installation(self, request: Request) -> Response:
        installation = self._installation(request)
        if isinstance(installation, Response):
            return installation
        self._state.remove_installation(installation)
        await self._webhooks.send_installation("deleted", installation, request)
        return Response(status_code=204, headers=common_headers())

    async def create_token(self, request: Request) -> Response:
        installation = self._installation(request)
        if isinstance(installation, Response):
            return installation
        if installation.suspended_at is not None:
            return refusal(403, "This installation has been suspended")
        token = GitHubToken(
            name=f"ghs_{secrets.token_hex(18)}",
            quota=installation.quota,
            scopes=None,
            expires_at=self._state.now() + timedelta(seconds=INSTALLATION_TOKEN_SECONDS),
            behaviour=Behaviour.REVOKED,
            behaviour_calls=installation.fresh_token_refusals,
            account=installation.account,
            installation_id=installation.id,
        )
        self._state.put(token)
        body: dict[str, object] = {
            "token": token.name,
            "expires_at": f"{token.expires_at:%Y-%m-%dT%H:%M:%SZ}",
            "permissions": installation.permissions,
            "repository_selection": "selected",
        }
        return json_answer(201, body, {})

    def _installation(self, request: Request) -> Installation | Response:
        app = self._caller(request)
        if isinstance(app, Response):
            return app
        installation = self._state.github_apps.installations.get(request.path_params["installation_id"])
        return refusal(404, "Not Found") if installation is None or installation.app is not app else installation

    def _caller(self, request: Request) -> App | Response:
        """The app whose key signed the call."""
        path = request.url.path.removeprefix("/github/api")
        stopped = entrance(self._state, request, path, None)
        if stopped is not None:
            return stopped
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token.count(".") != 2:
            return refusal(401, UNDECODABLE)
        app = self._state.github_apps.by_issuer(_issuer(token))
        if app is None:
            return refusal(404, "Integration not found")
        if app.public_key is None:
            return refusal(401, UNDECODABLE)
        try:
            claims = jwt.decode(token, RSAKey.import_key(app.public_key), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return refusal(401, UNDECODABLE)
        return self._lifetime_problem(claims.get("iat"), claims.get("exp")) or app

    def _lifetime_problem(self, issued_at: object, expires_at: object) -> Response | None:
        now = self._state.now().timestamp()
        if not isinstance(issued_at, int) or issued_at > now:
            return refusal(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            )
        if not isinstance(expires_at, int) or expires_at <= now:
            return refusal(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
        if expires_at > now + LONGEST_JWT_SECONDS:
            return refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        return None


def _issuer(token: str) -> object:
    """What the unverified token says, to find the key that verifies it."""
    try:
        claims = orjson.loads(urlsafe_b64decode(token.split(".")[1].encode()))
    except ValueError:
        return None
    return claims.get("iss") if isinstance(claims, dict) else None
