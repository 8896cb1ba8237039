"""The simulated GitHub: its REST API under /github/api and, for links to lead somewhere, its web under /github.

The order of a call is GitHub's: who is asking, may they at all, is there quota left, and only then the endpoint.
"""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import fault, fault_after
from sandbox.github_answers import (
    DOCUMENTATION,
    Body,
    api_url,
    entrance,
    json_answer,
    page_of,
    refusal,
    server_error,
    web_url,
)
from sandbox.github_headers import Headers, common_headers, rate_limit_headers, token_headers
from sandbox.github_memberships import MEMBERSHIPS, membership
from sandbox.github_objects import (
    Json,
    installation_json,
    rate_limit_json,
    repository_json,
    root_json,
    user_json,
)
from sandbox.github_repository_api import GitHubRepositoryApi
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, GitHubToken, Quota, Service
from sandbox.web_pages import account_page, avatar, page_not_found

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
LIMITS_DOCUMENTATION = f"{DOCUMENTATION}/using-the-rest-api/rate-limits-for-the-rest-api"
SAML_DOCUMENTATION = (
    "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-sign-on/"
)
PERSONS, INSTALLATIONS = False, True
NOT_FOR = {
    PERSONS: "Resource not accessible by integration",
    INSTALLATIONS: "You must authenticate with an installation access token in order to list repositories for an "
    "installation.",
}


class GitHub:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._repository_api = GitHubRepositoryApi(state)
        self._endpoints: dict[str, tuple[bool, Callable[[Request, GitHubToken], tuple[Body, Headers]]]] = {
            "/user": (PERSONS, self._user),
            "/user/repos": (PERSONS, self._repositories),
            "/user/installations": (PERSONS, self._installations),
            "/installation/repositories": (INSTALLATIONS, self._installation_repositories),
        }

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/github/api", self.api, methods=METHODS),
            Route("/github/api/{path:path}", self.api, methods=METHODS),
            Route("/github", self.web),
            Route("/github/{path:path}", self.web),
        ]

    async def api(self, request: Request) -> Response:
        path = "/" + str(request.path_params.get("path", ""))
        presented = _presented_token(request)
        token = self._state.find(presented, GitHubToken)
        stopped = entrance(self._state, request, path, token)
        if stopped is not None:
            return stopped
        now = self._state.now()
        behaviour = token.next_behaviour(now) if token is not None else Behaviour.NORMAL
        quota = token.quota if token is not None else self._state.anonymous_quota
        quota.renew(now)
        if presented is not None and (token is None or behaviour in {Behaviour.REVOKED, Behaviour.EXPIRED}):
            return refusal(401, "Bad credentials", headers=rate_limit_headers(self._state.anonymous_quota))
        if token is not None:
            answer = await fault(token, behaviour) or _misbehaviour(token, behaviour, now) or self._suspension(token)
            if answer is not None:
                return answer
        done = await self._answer(request, path, token, quota)
        return done if token is None else await fault_after(token, behaviour, done)

    def _suspension(self, token: GitHubToken) -> Response | None:
        installation = self._state.github_apps.installations.get(token.installation_id or 0)
        if installation is None or installation.suspended_at is None:
            return None
        return refusal(403, "This installation has been suspended", headers=rate_limit_headers(token.quota))

    async def _answer(self, request: Request, path: str, token: GitHubToken | None, quota: Quota) -> Response:
        headers = token_headers(token, accepted_scopes="repo" if path == "/user/repos" else "")
        is_read = request.method in {"GET", "HEAD"}
        if path == "/rate_limit" and is_read:  # asking costs nothing, and is answered when nothing is left
            return json_answer(200, rate_limit_json(quota), headers | rate_limit_headers(quota))
        if quota.remaining == 0:
            return _primary_limit(token, request, headers | rate_limit_headers(quota))
        if path.startswith(MEMBERSHIPS) and is_read and token is not None and token.installation_id is None:
            quota.take()
            organization = path.removeprefix(MEMBERSHIPS)
            return membership(self._state, request, token, organization, headers | rate_limit_headers(quota))
        if path == "/installation/token" and request.method == "DELETE" and token is not None:
            return self._end_installation_token(token, quota)
        if path.startswith("/repos/"):
            quota.take()
            return await self._repository_api.answer(request, path, token)
        found = self._endpoints.get(path) if is_read else None
        body: Body
        if path == "/" and is_read:
            body, more_headers = root_json(api_url(request)), Headers()
        elif found is None:
            quota.take()
            return refusal(404, "Not Found", headers=headers | rate_limit_headers(quota))
        elif token is None:
            quota.take()
            return refusal(401, "Requires authentication", headers=headers | rate_limit_headers(quota))
        else:
            whose, endpoint = found
            if whose is not (token.installation_id is not None):
                quota.take()
                return refusal(403, NOT_FOR[whose], headers=headers | rate_limit_headers(quota))
            body, more_headers = endpoint(request, token)
        etag = f'W/"{sha256(orjson.dumps(body)).hexdigest()}"'
        headers |= more_headers | {"etag": etag, "cache-control": "private, max-age=60, s-maxage=60"}
        if etag in request.headers.get("if-none-match", ""):  # a 304 costs no quota
            return Response(status_code=304, headers=headers | common_headers() | rate_limit_headers(quota))
        quota.take()
        return json_answer(200, body, headers | rate_limit_headers(quota))

    def _end_installation_token(self, token: GitHubToken, quota: Quota) -> Response:
        quota.take()
        if token.installation_id is None:
            return refusal(403, NOT_FOR[INSTALLATIONS], headers=rate_limit_headers(quota))
        self._state.forget(token.name)
        return Response(status_code=204, headers=common_headers() | rate_limit_headers(quota))

    def _user(self, request: Request, token: GitHubToken) -> tuple[Body, Headers]:
        return user_json(token, web_url(request), api_url(request)), {}

    def _repositories(self, request: Request, token: GitHubToken) -> tuple[Body, Headers]:
        """By full name; `visibility` filters, GitHub's other filters and orders are ignored."""
        visibility = request.query_params.get("visibility", "all")
        wanted = {"public": [False], "private": [True]}.get(visibility, [False, True])
        return page_of(request, [each for each in self._visible(request, token) if each["private"] in wanted])

    def _installation_repositories(self, request: Request, token: GitHubToken) -> tuple[Body, Headers]:
        repositories = self._visible(request, token)
        chosen, links = page_of(request, repositories)
        return {"total_count": len(repositories), "repository_selection": "selected", "repositories": chosen}, links

    def _visible(self, request: Request, token: GitHubToken) -> list[Json]:
        repositories = token.repositories
        if token.installation_id is not None:  # as they are now, not as they were when the token was made
            repositories = self._state.github_apps.installations[token.installation_id].repositories
        visible = sorted(filter(token.sees, repositories), key=lambda each: each.name.lower())
        return [repository_json(each, token.account, web_url(request), api_url(request)) for each in visible]

    def _installations(self, request: Request, token: GitHubToken) -> tuple[Body, Headers]:
        """Those of the app that the token was issued to, as far as its person may see them."""
        app = self._state.github_apps.of_client(token.client_id) if token.client_id is not None else None
        visible = [
            installation_json(each, web_url(request), api_url(request))
            for each in self._state.github_apps.installations.values()
            if each.app is app and token.account.login in each.users
        ]
        chosen, links = page_of(request, visible)
        return {"total_count": len(visible), "installations": chosen}, links

    async def web(self, request: Request) -> Response:
        """Pages of the accounts that some token here belongs to, their repositories, and their pictures."""
        if self._state.is_down(Service.GITHUB):
            return server_error(503)
        match str(request.path_params.get("path", "")).strip("/").split("/"):
            case [""]:
                return account_page("GitHub", "The simulated GitHub.")
            case ["avatars", "u", number]:
                return avatar(number)
            case [login, *_] if any(login == token.account.login for token in self._state.all_of(GitHubToken)):
                return account_page("GitHub", str(request.path_params["path"]))
            case _:
                return page_not_found("GitHub")


def _presented_token(request: Request) -> str | None:
    """From `Authorization: Bearer X` or `token X`; an empty string where the header says anything else."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() in {"bearer", "token"} else ""


def _misbehaviour(token: GitHubToken, behaviour: Behaviour, now: datetime) -> Response | None:
    headers = token_headers(token) | rate_limit_headers(token.quota)
    match behaviour:
        case Behaviour.SERVER_ERROR:
            return server_error(token.status or 500)
        case Behaviour.RATE_LIMITED:
            token.quota.exhaust()  # then the ordinary answer for a quota at its end
            return None
        case Behaviour.SECONDARY_LIMITED:
            headers["retry-after"] = str(token.retry_after_seconds)
            return _secondary_limit(token.status or 403, now, headers)
        case Behaviour.SECONDARY_LIMITED_BARE:
            return _secondary_limit(token.status or 403, now, token_headers(token))
        case Behaviour.SUSPENDED:
            return refusal(403, "Sorry. Your account was suspended.", headers=headers)
        case Behaviour.SSO_REQUIRED:
            headers["x-github-sso"] = "required; url=https://github.com/orgs/acme/sso?authorization_request=AABBCC"
            message = (
                "Resource protected by organization SAML enforcement. "
                "You must grant your Personal Access token access to this organization."
            )
            return refusal(403, message, SAML_DOCUMENTATION, headers)
        case Behaviour.MISSING_SCOPE:
            if token.scopes is None:
                headers["x-accepted-github-permissions"] = "metadata=read"
            else:
                headers["x-accepted-oauth-scopes"] = "repo"
            return refusal(403, "Resource not accessible by personal access token", headers=headers)
        case _:
            return None


def _primary_limit(token: GitHubToken | None, request: Request, headers: Headers) -> Response:
    address = request.client.host if request.client is not None else "127.0.0.1"
    if token is None:
        message = (
            f"API rate limit exceeded for {address}. (But here's the good news: Authenticated requests get a higher "
            "rate limit. Check out the documentation for more details.)"
        )
    else:
        message = f"API rate limit exceeded for user ID {token.account.id}."
    return refusal(403, message, LIMITS_DOCUMENTATION, headers)


def _secondary_limit(status: int, now: datetime, headers: Headers) -> Response:
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
        f"GitHub Support for help, please include the timestamp {now:%Y-%m-%d %H:%M:%S} UTC."
    )
    return refusal(status, message, f"{LIMITS_DOCUMENTATION}#about-secondary-rate-limits", headers)
