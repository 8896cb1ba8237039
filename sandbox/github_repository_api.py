"""The simulated GitHub's endpoints below /repos/OWNER/NAME: files, issues, comments, pull requests and workflows.

Asked by github.py, once the caller is known and has quota left. What isn't the caller's to see isn't there.
"""

import re
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.github_answers import json_answer, refusal, web_url
from sandbox.github_content import Json, RepositoryContent
from sandbox.github_headers import Headers, common_headers, rate_limit_headers, token_headers
from sandbox.github_objects import account_json
from sandbox.state import SandboxState
from sandbox.tokens import GitHubRepository, GitHubToken

LONGEST_JSON_FILE_BYTES = 1024 * 1024
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
        permission, level = endpoint.permission, endpoint.level
        if token is None:
            return refusal(401, "Requires authentication", headers=self._headers(token))
        repository = self._visible(token, f"{found[1]}/{found[2]}")
        if repository is None:
            return refusal(404, "Not Found", headers=self._headers(token, "repo"))
        refused = self._not_allowed(token, repository, permission, level)
        if refused is not None:
            return refused
        content = self._state.github_contents.of(f"{token.account.login}/{repository.name}", repository.default_branch)
        if content.moved:
            status = 301 if level == "read" else 307
            return refusal(status, "Moved Permanently", headers=self._headers(token))
        if repository.archived and level != "read":
            return refusal(403, "Repository was archived so is read-only.", headers=self._headers(token))
        body = await _body(request) if level != "read" else {}
        if body is None:
            return refusal(400, "Problems parsing JSON", headers=self._headers(token))
        return endpoint.answer(_Call(request, token, content, parts, body, self._headers(token)))

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

    def _not_allowed(
        self, token: GitHubToken, repository: GitHubRepository, permission: str, level: str
    ) -> Response | None:
        """Installations have permissions and are told what they lack; from tokens without the scope it is hidden."""
        if token.installation_id is not None:
            granted = self._state.github_apps.installations[token.installation_id].permissions
            either = ("issues", "pull_requests") if permission == "issues" else (permission,)
            if any(_covers(granted.get(each), level) for each in either):
                return None
            headers = self._headers(token) | {"x-accepted-github-permissions": f"{permission}={level}"}
            return refusal(403, "Resource not accessible by integration", headers=headers)
        needed = ("repo",) if permission == "actions" or repository.private else ("public_repo", "repo")
        if level == "read" or token.scopes is None or set(needed) & set(token.scopes):
            return None
        return refusal(404, "Not Found", headers=self._headers(token, ", ".join(needed)))

    def _headers(self, token: GitHubToken | None, accepted_scopes: str = "") -> Headers:
        quota = self._state.anonymous_quota if token is None else token.quota
        return token_headers(token, accepted_scopes) | rate_limit_headers(quota)


class _Call:
    """One call that may be made, and what it is about."""

    def __init__(
        self,
        request: Request,
        token: GitHubToken,
        content: RepositoryContent,
        parts: dict[str, str],
        body: Json,
        headers: Headers,
    ) -> None:
        self.request, self.content, self.parts, self.body = request, content, parts, body
        self.author = account_json(token.account, web_url(request), f"{request.base_url}github/api")
        self._headers = headers

    def text(self, name: str) -> str:
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def web(self, path: str) -> str:
        return f"{web_url(self.request)}/{self.content.name}/{path}"

    def done(self, status: int, body: Json) -> Response:
        if status == 204:
            return Response(status_code=204, headers=common_headers() | self._headers)
        return json_answer(status, body, self._headers)

    def refused(self, status: int, message: str, errors: list[object] | None = None) -> Response:
        if errors is None:
            return refusal(status, message, headers=self._headers)
        return json_answer(status, {"message": message, "errors": errors, "status": str(status)}, self._headers)

    def invalid(self, resource: str, field: str, code: str, message: str | None = None) -> Response:
        error = {"resource": resource, "field": field, "code": code}
        if message is not None:
            error = {"resource": resource, "code": "custom", "message": message}
        return self.refused(422, "Validation Failed", [error])


def _read_file(call: _Call) -> Response:
    path, ref = call.parts["path"], call.request.query_params.get("ref")
    if ref is not None and ref not in call.content.branches:
        return call.refused(404, f"No commit found for the ref {ref}")
    content = call.content.files.get(path)
    if content is None:
        inside = sorted(each for each in call.content.files if each.startswith(f"{path}/"))
        if not inside:
            return call.refused(404, "Not Found")
        return Response(orjson.dumps([{"type": "file", "path": each} for each in inside]), 200, common_headers())
    fits = len(content) <= LONGEST_JSON_FILE_BYTES
    return call.done(
        200,
        {
            "type": "file",
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(),
            "size": len(content),
            "encoding": "base64" if fits else "none",
            "content": encodebytes(content).decode() if fits else "",
            "html_url": call.web(f"blob/{ref or call.content.branches[0]}/{path}"),
        },
    )


def _create_issue(call: _Call) -> Response:
    if not call.content.has_issues:
        return call.refused(410, "Issues has been disabled in this repository.")
    title, body = call.text("title"), call.text("body")
    if call.content.hurried:
        return call.invalid("Issue", "base", "custom", "was submitted too quickly")
    if not title.strip():
        return call.invalid("Issue", "title", "missing_field")
    if len(title) > 256:
        return call.invalid("Issue", "title", "custom", "title is too long (maximum is 256 characters)")
    if len(body) > 65_536:
        return call.invalid("Issue", "body", "custom", "body is too long (maximum is 65536 characters)")
    number = call.content.next_number()
    issue: Json = {
        "number": number,
        "title": title,
        "body": body,
        "labels": call.body.get("labels", []),
        "assignees": call.body.get("assignees", []),
    }
    call.content.issues.append(issue)
    shown = {
        "id": 2_100_000_000 + number,
        "state": "open",
        "user": call.author,
        "html_url": call.web(f"issues/{number}"),
    }
    return call.done(201, issue | shown)


def _create_comment(call: _Call) -> Response:
    number, body = int(call.parts["number"]), call.text("body")
    if not call.content.has_number(number):
        return call.refused(404, "Not Found")
    if number in call.content.locked:
        return call.refused(403, "Unable to create comment because issue is locked.")
    if not body.strip():
        return call.invalid("IssueComment", "body", "missing_field")
    if len(body) > 65_536:
        return call.invalid("IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)")
    comment: Json = {"id": 2_146_011_001 + len(call.content.comments), "number": number, "body": body}
    call.content.comments.append(comment)
    address = call.web(f"issues/{number}#issuecomment-{comment['id']}")
    return call.done(201, {"id": comment["id"], "body": body, "user": call.author, "html_url": address})


def _create_pull(call: _Call) -> Response:
    title, head, base = call.text("title"), call.text("head").rpartition(":")[2], call.text("base")
    if not title.strip():
        return call.invalid("PullRequest", "title", "missing_field")
    for field, branch in (("base", base), ("head", head)):
        if branch not in call.content.branches:
            return call.invalid("PullRequest", field, "invalid")
    if head == base:
        return call.invalid("PullRequest", "head", "custom", f"No commits between {base} and {head}")
    if any((pull["head"], pull["base"]) == (head, base) for pull in call.content.pulls):
        owner = call.content.name.partition("/")[0]
        return call.invalid("PullRequest", "head", "custom", f"A pull request already exists for {owner}:{head}.")
    number = call.content.next_number()
    pull: Json = {"number": number, "title": title, "head": head, "base": base}
    pull |= {"body": call.text("body"), "draft": call.body.get("draft", False)}
    call.content.pulls.append(pull)
    shown = {"id": 1_900_000_000 + number, "state": "open", "user": call.author, "html_url": call.web(f"pull/{number}")}
    return call.done(201, pull | shown)


def _dispatch(call: _Call) -> Response:
    workflow, ref, inputs = call.parts["workflow"], call.text("ref"), call.body.get("inputs", {})
    if workflow not in call.content.workflows:
        return call.refused(404, "Not Found")
    takes = call.content.workflows[workflow]
    if "return_run_details" in call.body and not call.content.tells_runs:
        return call.refused(422, 'Invalid request.\n\n"return_run_details" is not a permitted key.')
    if takes is None:
        return call.refused(422, "Workflow does not have 'workflow_dispatch' trigger")
    if ref not in call.content.branches:
        return call.refused(422, f"No ref found for: {ref}")
    unexpected = [name for name in inputs if name not in takes] if isinstance(inputs, dict) else []
    if unexpected:
        return call.refused(422, f"Unexpected inputs provided: {orjson.dumps(unexpected).decode()}")
    run_id = 16_012_345_000 + len(call.content.dispatches)
    call.content.dispatches.append({"workflow": workflow, "ref": ref, "inputs": inputs, "run_id": run_id})
    if not call.body.get("return_run_details"):
        return call.done(204, {})
    return call.done(200, {"workflow_run_id": run_id, "html_url": call.web(f"actions/runs/{run_id}")})


@dataclass(frozen=True, slots=True)
class _Endpoint:
    method: str
    path: str
    permission: str
    level: str
    answer: Callable[[_Call], Response]


ENDPOINTS = (
    _Endpoint("GET", r"contents/(?P<path>.+)", "contents", "read", _read_file),
    _Endpoint("POST", "issues", "issues", "write", _create_issue),
    _Endpoint("POST", r"issues/(?P<number>[0-9]{1,9})/comments", "issues", "write", _create_comment),
    _Endpoint("POST", "pulls", "pull_requests", "write", _create_pull),
    _Endpoint("POST", r"actions/workflows/(?P<workflow>[^/]+)/dispatches", "actions", "write", _dispatch),
)


def _endpoint(method: str, path: str) -> tuple[_Endpoint, dict[str, str]] | None:
    for endpoint in ENDPOINTS:
        found = re.fullmatch(endpoint.path, path)
        if found is not None and method == endpoint.method:
            return endpoint, found.groupdict()
    return None


def _covers(granted: str | None, level: str) -> bool:
    return granted in LEVELS and LEVELS.index(granted) >= LEVELS.index(level)


async def _body(request: Request) -> Json | None:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None
