"""The simulated GitLab: its REST API under /gitlab/api/v4, its OAuth under /gitlab/oauth and a little of its web.

The order of a call is GitLab's: is there quota left, who is asking, may the token do that, and only then the endpoint.
"""

from collections.abc import Callable
from datetime import datetime
from hashlib import md5

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import fault, fault_after
from sandbox.gitlab_objects import Json, project_json, token_info_json, token_json, user_json
from sandbox.gitlab_project_api import GitLabProjectApi
from sandbox.person_tokens import GitLabToken
from sandbox.standard_oauth import StandardOAuth, Words
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, Quota, Service
from sandbox.web_pages import account_page, avatar, page_not_found

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
SCOPES = frozenset(
    {
        "api",
        "read_api",
        "read_user",
        "read_repository",
        "write_repository",
        "read_registry",
        "write_registry",
        "create_runner",
        "manage_runner",
        "ai_features",
        "k8s_proxy",
        "self_rotate",
        "sudo",
        "admin_mode",
        "openid",
        "profile",
        "email",
    }
)
INVALID_TOKEN = {
    Behaviour.EXPIRED: "Token is expired. You can either do re-authorization or token refresh.",
    Behaviour.REVOKED: "Token was revoked. You have to re-authorize from the user.",
}
READS_API = ("api", "read_api")

Body = Json | list[Json]
Headers = dict[str, str]


class GitLab:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._project_api = GitLabProjectApi(state)
        self._oauth = StandardOAuth(state, GitLabToken, Words(Service.GITLAB, "GitLab", SCOPES))
        self._endpoints: dict[str, tuple[tuple[str, ...], Callable[[Request, GitLabToken], tuple[Body, Headers]]]] = {
            "/user": ((*READS_API, "read_user"), self._user),
            "/projects": (READS_API, self._projects),
            "/personal_access_tokens/self": (tuple(SCOPES), self._token),
        }

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/gitlab/api/v4/{path:path}", self.api, methods=METHODS),
            Route("/gitlab/oauth/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/gitlab/oauth/token", self.token, methods=["POST"]),
            Route("/gitlab/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/gitlab/oauth/token/info", self.token_info),
            Route("/gitlab", self.web),
            Route("/gitlab/{path:path}", self.web),
        ]

    async def api(self, request: Request) -> Response:
        path = f"/{request.path_params['path']}"
        token = self._presented(request)
        stopped = self._entrance(request, path, token)
        if stopped is not None:
            return stopped
        if token is None:
            return _json(401, {"message": "401 Unauthorized"})
        now = self._state.now()
        behaviour = token.next_behaviour(now)
        answer = await fault(token, behaviour) or _misbehaviour(token, behaviour, now)
        if answer is not None:
            return answer
        return await fault_after(token, behaviour, await self._answer(request, path, token))

    async def _answer(self, request: Request, path: str, token: GitLabToken) -> Response:
        scopes = self._project_api.needed_scopes(request)
        if scopes is not None:
            if not set(scopes) & set(token.scopes or ()):
                return _insufficient_scope(scopes)
            status, said = await self._project_api.answer(request, token, _web(request))
            return _json(status, said, _quota_headers(token.quota))
        needed, endpoint = self._endpoints.get(path, ((), None))
        if endpoint is None or request.method not in {"GET", "HEAD"}:
            return _json(404, {"error": "404 Not Found"}, _quota_headers(token.quota))
        if not set(needed) & set(token.scopes or ()):
            return _insufficient_scope(needed)
        body, headers = endpoint(request, token)
        content = orjson.dumps(body)
        headers |= {"etag": f'W/"{md5(content, usedforsecurity=False).hexdigest()}"', **_quota_headers(token.quota)}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, 200, headers, "application/json")

    async def authorize(self, request: Request) -> Response:
        return self._down() or await self._oauth.authorize(request)

    async def token(self, request: Request) -> Response:
        return self._entrance(request, "/oauth/token", None) or await self._oauth.token(request)

    async def revoke(self, request: Request) -> Response:
        return self._entrance(request, "/oauth/revoke", None) or await self._oauth.revoke(request)

    async def token_info(self, request: Request) -> Response:
        """Of what OAuth has issued; a personal access token is unknown here."""
        token = self._presented(request)
        stopped = self._entrance(request, "/oauth/token/info", token)
        if stopped is not None:
            return stopped
        now = self._state.now()
        if token is None or token.client_id is None or token.next_behaviour(now) is not Behaviour.NORMAL:
            text = "The access token is invalid"
            return _json(401, {"error": "invalid_token", "error_description": text, "state": "unauthorized"})
        return _json(200, token_info_json(token, now))

    async def web(self, request: Request) -> Response:
        """Pages of people with a token here, of their projects, and their pictures."""
        path = str(request.path_params.get("path", "")).strip("/")
        tokens = self._state.all_of(GitLabToken)
        known = {each.account.username for each in tokens} | {each.path for token in tokens for each in token.projects}
        if path == "" or path in known:
            return self._down() or account_page("GitLab", path or "The simulated GitLab.")
        if path.startswith("avatars/"):
            return avatar(path)
        return self._down() or page_not_found("GitLab")

    def _presented(self, request: Request) -> GitLabToken | None:
        scheme, _, name = request.headers.get("authorization", "").partition(" ")
        shown = name.strip() if scheme.lower() == "bearer" else request.headers.get("private-token")
        return self._state.find(shown, GitLabToken)

    def _entrance(self, request: Request, path: str, token: GitLabToken | None) -> Response | None:
        self._state.record(token, Service.GITLAB, request.method, path)
        down, now = self._down(), self._state.now()
        if down is not None or token is None:
            return down
        token.quota.renew(now)
        if token.quota.remaining == 0:
            return _too_many(token.quota, token.quota.seconds_to_reset(now))
        token.quota.take()
        return None

    def _down(self) -> Response | None:
        if not self._state.is_down(Service.GITLAB):
            return None
        return PlainTextResponse("GitLab is not responding\n", 502)

    def _user(self, request: Request, token: GitLabToken) -> tuple[Body, Headers]:
        return user_json(token.account, _web(request)), {}

    def _token(self, request: Request, token: GitLabToken) -> tuple[Body, Headers]:
        return token_json(token), {}

    def _projects(self, request: Request, token: GitLabToken) -> tuple[Body, Headers]:
        """Keyset paging by id, upwards; every page that isn't empty names a next one."""
        per_page, after = _number(request, "per_page", 20), _number(request, "id_after", 0)
        found = sorted((each for each in token.projects if each.id > after), key=lambda each: each.id)[:per_page]
        body: Body = [project_json(each, _web(request)) for each in found]
        if not found:
            return body, {}
        following = request.url.include_query_params(id_after=found[-1].id)
        return body, {"link": f'<{following}>; rel="next"'}


def _misbehaviour(token: GitLabToken, behaviour: Behaviour, now: datetime) -> Response | None:
    match behaviour:
        case Behaviour.EXPIRED | Behaviour.REVOKED:
            text = INVALID_TOKEN[behaviour]
            challenge = f'Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="{text}"'
            body: Json = {"error": "invalid_token", "error_description": text}
            return _json(401, body, {"www-authenticate": challenge})
        case Behaviour.SUSPENDED:
            return _json(403, {"message": "403 Forbidden - Your account has been blocked."})
        case Behaviour.MISSING_SCOPE:
            return _insufficient_scope(READS_API)
        case Behaviour.RATE_LIMITED:
            token.quota.exhaust()
            return _too_many(token.quota, token.retry_after_seconds)
        case Behaviour.SERVER_ERROR:
            return _json(token.status or 500, {"message": "500 Internal Server Error"})
        case _:
            return None


def _insufficient_scope(scopes: tuple[str, ...]) -> Response:
    text = "The request requires higher privileges than provided by the access token."
    return _json(403, {"error": "insufficient_scope", "error_description": text, "scope": " ".join(scopes)})


def _too_many(quota: Quota, retry_after_seconds: int) -> Response:
    headers = _quota_headers(quota) | {"retry-after": str(retry_after_seconds)}
    return PlainTextResponse("Retry later\n", 429, headers)


def _quota_headers(quota: Quota) -> Headers:
    return {
        "ratelimit-limit": str(quota.limit),
        "ratelimit-name": "throttle_authenticated_api",
        "ratelimit-observed": str(quota.used),
        "ratelimit-remaining": str(quota.remaining),
        "ratelimit-reset": str(int(quota.resets_at.timestamp())),
    }


def _json(status: int, body: Json, headers: Headers | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default


def _web(request: Request) -> str:
    return f"{request.base_url}gitlab"
