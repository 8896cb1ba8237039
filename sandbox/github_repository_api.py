"""The simulated GitHub's endpoints below /repos/OWNER/NAME: files, issues, comments, pull requests and workflows.

Asked by github.py, once the caller is known and has quota left. What isn't the caller's to see isn't there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.github_answers import refusal
from sandbox.github_content import Json
from sandbox.github_headers import Headers, rate_limit_headers, token_headers
from sandbox.github_repository_calls import (
    RepositoryCall,
    create_comment,
    create_issue,
    create_pull,
    dispatch,
    read_file,
)
from sandbox.state import SandboxState
from sandbox.tokens import GitHubRepository, GitHubToken

LEVELS = ("read", "write", "admin")


class GitHubRepositoryApi:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def answer(self, request: Request, path: str, token: GitHubToken | None) -> Response:
        found = re.fullmatch(r"/repos/([^/]+)/([^/]+)/(.+)", path)
        matched = None if found is None else _endpoint(request.method, found[3])
        if found is None or matched is None:
            return refusal(404, "Not Found", headers=self._headers(token))
        endpoint, parts = matched
        if token is None:
            return refusal(401, "Requires authentication", headers=self._headers(token))
        repository = self._visible(token, f"{found[1]}/{found[2]}")
        if repository is None:
            return refusal(404, "Not Found", headers=self._headers(token, "repo"))
        headers = self._headers(token) | _would_do(token, repository, endpoint)
        if not self._may(token, repository, endpoint):
            if token.installation_id is not None:
                return refusal(403, "Resource not accessible by integration", headers=headers)
            return refusal(404, "Not Found", headers=headers)  # from a token without the scope it is hidden
        content = self._state.github_contents.of(f"{token.account.login}/{repository.name}", repository.default_branch)
        if content.moved:
            return refusal(301 if endpoint.level == "read" else 307, "Moved Permanently", headers=headers)
        if repository.archived and endpoint.level != "read":
            return refusal(403, "Repository was archived so is read-only.", headers=headers)
        body = await _body(request) if endpoint.level != "read" else {}
        if body is None:
            return refusal(400, "Problems parsing JSON", headers=headers)
        return endpoint.answer(RepositoryCall(request, token, content, parts, body, headers))

    def _visible(self, token: GitHubToken, full_name: str) -> GitHubRepository | None:
        repositories = token.repositories
        if token.installation_id is not None:
            repositories = self._state.github_apps.installations[token.installation_id].repositories
        return next(
            (
                each
                for each in repositories
                if f"{token.account.login}/{each.name}".lower() == full_name.lower() and token.sees(each)
            ),
            None,
        )

    def _may(self, token: GitHubToken, repository: GitHubRepository, endpoint: "_Endpoint") -> bool:
        if token.installation_id is not None:
            granted = self._state.github_apps.installations[token.installation_id].permissions
            return any(_covers(granted.get(each), endpoint.level) for each in endpoint.permissions)
        needed = _scopes_for(repository, endpoint)
        return endpoint.level == "read" or token.scopes is None or bool(set(needed) & set(token.scopes))

    def _headers(self, token: GitHubToken | None, accepted_scopes: str = "") -> Headers:
        quota = self._state.anonymous_quota if token is None else token.quota
        return token_headers(token, accepted_scopes) | rate_limit_headers(quota)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    method: str
    path: str
    permissions: tuple[str, ...]
    level: str
    answer: Callable[[RepositoryCall], Response]


ENDPOINTS = (
    _Endpoint("GET", r"contents/(?P<path>.+)", ("contents",), "read", read_file),
    _Endpoint("POST", "issues", ("issues",), "write", create_issue),
    _Endpoint("POST", r"issues/(?P<number>[0-9]{1,9})/comments", ("issues", "pull_requests"), "write", create_comment),
    _Endpoint("POST", "pulls", ("pull_requests",), "write", create_pull),
    _Endpoint("POST", r"actions/workflows/(?P<workflow>[^/]+)/dispatches", ("actions",), "write", dispatch),
)


def _endpoint(method: str, path: str) -> tuple[_Endpoint, dict[str, str]] | None:
    for endpoint in ENDPOINTS:
        found = re.fullmatch(endpoint.path, path)
        if found is not None and method == endpoint.method:
            return endpoint, found.groupdict()
    return None


def _scopes_for(repository: GitHubRepository, endpoint: _Endpoint) -> tuple[str, ...]:
    """Any of which lets a classic token write; reading takes them of private repositories alone."""
    return ("repo",) if "actions" in endpoint.permissions or repository.private else ("public_repo", "repo")


def _would_do(token: GitHubToken, repository: GitHubRepository, endpoint: _Endpoint) -> Headers:
    """What GitHub says in each answer, good or bad: which scopes or permissions the call takes."""
    if token.scopes is None:
        return {"x-accepted-github-permissions": "; ".join(f"{each}={endpoint.level}" for each in endpoint.permissions)}
    reads_public = endpoint.level == "read" and not repository.private
    return {"x-accepted-oauth-scopes": "" if reads_public else ", ".join(_scopes_for(repository, endpoint))}


def _covers(granted: str | None, level: str) -> bool:
    return granted in LEVELS and LEVELS.index(granted) >= LEVELS.index(level)


async def _body(request: Request) -> Json | None:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None
