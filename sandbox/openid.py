"""The simulated OpenID provider: discovery, authorize, token and revoke under /openid, the identity under /openid/api.

It says who it is when the browser comes back (`iss`), and refuses tokens in the words of RFC 6750.
"""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import fault
from sandbox.person_tokens import OpenIdToken
from sandbox.standard_oauth import StandardOAuth, Words
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, Service
from sandbox.web_pages import account_page, avatar, page_not_found

SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


class OpenId:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._oauth = StandardOAuth(state, OpenIdToken, Words(Service.OPENID, "OpenID provider", SCOPES, _issuer))

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/openid/.well-known/openid-configuration", self.discovery),
            Route("/openid/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/openid/token", self.token, methods=["POST"]),
            Route("/openid/revoke", self.revoke, methods=["POST"]),
            Route("/openid/api/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/openid/{path:path}", self.web),
        ]

    async def discovery(self, request: Request) -> Response:
        issuer = _issuer(request)
        return self._down() or _json(
            200,
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "revocation_endpoint": f"{issuer}/revoke",
                "userinfo_endpoint": f"{issuer}/api/userinfo",
                "scopes_supported": sorted(SCOPES),
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "claims_supported": ["sub", "name", "preferred_username", "profile", "picture"],
                "authorization_response_iss_parameter_supported": True,
            },
        )

    async def authorize(self, request: Request) -> Response:
        return self._down() or await self._oauth.authorize(request)

    async def token(self, request: Request) -> Response:
        self._state.record(None, Service.OPENID, request.method, "/token")
        return self._down() or await self._oauth.token(request)

    async def revoke(self, request: Request) -> Response:
        self._state.record(None, Service.OPENID, request.method, "/revoke")
        return self._down() or await self._oauth.revoke(request)

    async def userinfo(self, request: Request) -> Response:
        scheme, _, name = request.headers.get("authorization", "").partition(" ")
        token = self._state.find(name.strip() if scheme.lower() == "bearer" else None, OpenIdToken)
        self._state.record(token, Service.OPENID, request.method, "/userinfo")
        if (down := self._down()) is not None:
            return down
        if token is None:
            return _challenge(401, "invalid_token" if name else None)
        behaviour = token.next_behaviour(self._state.now())
        answer = await fault(token, behaviour) or _misbehaviour(token, behaviour)
        if answer is not None:
            return answer
        if "openid" not in (token.scopes or ()):
            return _challenge(403, "insufficient_scope", scope="openid")
        return _json(200, self._claims(request, token))

    async def web(self, request: Request) -> Response:
        """Pages of people with a token here, and their pictures."""
        match str(request.path_params["path"]).strip("/").split("/"):
            case ["people", name] if any(name == each.account.username for each in self._state.all_of(OpenIdToken)):
                return self._down() or account_page("OpenID provider", name)
            case ["pictures", number]:
                return avatar(number)
            case _:
                return self._down() or page_not_found("OpenID provider")

    def _down(self) -> Response | None:
        return PlainTextResponse("Service Unavailable\n", 503) if self._state.is_down(Service.OPENID) else None

    def _claims(self, request: Request, token: OpenIdToken) -> dict[str, object]:
        claims: dict[str, object] = {"sub": str(token.account.id)}
        if "profile" in (token.scopes or ()):
            claims |= {
                "name": token.account.name,
                "preferred_username": token.account.username,
                "profile": f"{_issuer(request)}/people/{token.account.username}",
                "picture": f"{_issuer(request)}/pictures/{token.account.id}",
            }
        return claims


def _misbehaviour(token: OpenIdToken, behaviour: Behaviour) -> Response | None:
    match behaviour:
        case Behaviour.EXPIRED | Behaviour.REVOKED:
            return _challenge(401, "invalid_token")
        case Behaviour.SUSPENDED:
            return PlainTextResponse("Forbidden\n", 403)
        case Behaviour.MISSING_SCOPE:
            return _challenge(403, "insufficient_scope", scope="openid")
        case Behaviour.RATE_LIMITED:
            return PlainTextResponse("Too Many Requests\n", 429, {"retry-after": str(token.retry_after_seconds)})
        case Behaviour.SERVER_ERROR:
            return PlainTextResponse("Internal Server Error\n", token.status or 500)
        case _:
            return None


def _challenge(status: int, error: str | None, scope: str | None = None) -> Response:
    """A refusal as RFC 6750 writes it; without an error where no token came along."""
    said = {"realm": "sandbox", "error": error, "scope": scope}
    parameters = ", ".join(f'{name}="{value}"' for name, value in said.items() if value is not None)
    return Response(status_code=status, headers={"www-authenticate": f"Bearer {parameters}"})


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _issuer(request: Request) -> str:
    return f"{request.base_url}openid"
