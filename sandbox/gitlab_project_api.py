"""The simulated GitLab's endpoints below /projects/PATH: files, issues, notes, merge requests and pipelines.

Asked by gitlab.py, once the caller is known and has quota left. What isn't the caller's to see isn't there.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1, sha256
from urllib.parse import unquote

import orjson
from starlette.requests import Request

from sandbox.gitlab_content import Json, ProjectContent
from sandbox.person_tokens import GitLabProject, GitLabToken
from sandbox.state import SandboxState

READS = ("api", "read_api")
Answer = tuple[int, Json]


class GitLabProjectApi:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def needed_scopes(self, request: Request) -> tuple[str, ...] | None:
        """Any of which will do; None where there is no such endpoint."""
        found = _endpoint(request)
        return None if found is None else found[0].scopes

    async def answer(self, request: Request, token: GitLabToken, web: str) -> Answer:
        found = _endpoint(request)
        if found is None:
            return 404, {"error": "404 Not Found"}
        endpoint, parts = found
        path = unquote(parts.pop("project"))
        project = next((each for each in token.projects if path.lower() in (each.path.lower(), str(each.id))), None)
        if project is None:
            return 404, {"message": "404 Project Not Found"}
        if project.archived and request.method != "GET":
            return 403, {"message": "403 Forbidden"}
        body = await _body(request) if request.method != "GET" else {}
        if body is None:
            return 400, {"error": "Problems parsing JSON"}
        content = self._state.gitlab_contents.of(project.path, project.default_branch)
        return endpoint.answer(_Call(request, project, content, parts, body, f"{web}/{project.path}"))


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that may be made, and what it is about."""

    request: Request
    project: GitLabProject
    content: ProjectContent
    parts: dict[str, str]
    body: Json
    web: str

    def text(self, name: str) -> str:
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


def _read_file(call: _Call) -> Answer:
    path, ref = unquote(call.parts["path"]), call.request.query_params.get("ref")
    if ref is None:
        return 400, {"error": "ref is missing, ref is empty"}
    if ref not in {*call.content.branches, "HEAD"}:
        return 404, {"message": "404 Commit Not Found"}
    content = call.content.files.get(path)
    if content is None:
        return 404, {"message": "404 File Not Found"}
    return 200, {
        "file_name": path.rpartition("/")[2],
        "file_path": path,
        "size": len(content),
        "encoding": "base64",
        "content": b64encode(content).decode(),
        "content_sha256": sha256(content).hexdigest(),
        "ref": ref,
        "blob_id": sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(),
    }


def _create_issue(call: _Call) -> Answer:
    title = call.text("title")
    if "title" not in call.body:
        return 400, {"error": "title is missing"}
    if not title.strip():
        return 400, {"message": {"title": ["can't be blank"]}}
    if len(title) > 255:
        return 400, {"message": {"title": ["is too long (maximum is 255 characters)"]}}
    number = len(call.content.issues) + 1
    issue: Json = {"iid": number, "title": title, "description": call.text("description")}
    issue["labels"] = [label for label in call.text("labels").split(",") if label]
    call.content.issues.append(issue)
    return 201, issue | {"id": 84_000_000 + number, "state": "opened", "web_url": f"{call.web}/-/issues/{number}"}


def _create_note(call: _Call) -> Answer:
    what, number, body = call.parts["what"], int(call.parts["number"]), call.text("body")
    known = call.content.issues if what == "issues" else call.content.merge_requests
    if not 0 < number <= len(known):
        return 404, {"message": "404 Not found"}
    if not body.strip():
        return 400, {"message": "400 Bad request - Note can't be blank"}
    if all(line.startswith("/") for line in body.splitlines()):
        return 202, {"commands_changes": {}, "summary": ["Applied the commands."]}
    note: Json = {"id": 302 + len(call.content.notes), "body": body, "noteable_iid": number, "on": what}
    call.content.notes.append(note)
    return 201, note


def _create_merge_request(call: _Call) -> Answer:
    title, source, target = call.text("title"), call.text("source_branch"), call.text("target_branch")
    if not title.strip():
        return 400, {"error": "title is empty"}
    if source == target:
        return 400, {"message": ["You can't use same project/branch for source and target"]}
    for name in ("source_branch", "target_branch"):
        if call.text(name) not in call.content.branches:
            return 400, {"message": {name: ["does not exist"]}}
    for other in call.content.merge_requests:
        if (other["source_branch"], other["target_branch"]) == (source, target):
            text = f"Another open merge request already exists for this source branch: !{other['iid']}"
            return 409, {"message": [text]}
    number = len(call.content.merge_requests) + 1
    made: Json = {"iid": number, "title": title, "source_branch": source, "target_branch": target}
    made["description"] = call.text("description")
    call.content.merge_requests.append(made)
    shown = {"id": 155_000_000 + number, "state": "opened", "draft": title.startswith("Draft: ")}
    return 201, made | shown | {"web_url": f"{call.web}/-/merge_requests/{number}"}


def _create_pipeline(call: _Call) -> Answer:
    ref, number = call.text("ref"), 61 + len(call.content.pipelines)
    if ref not in call.content.branches:
        return 400, {"message": {"base": ["Reference not found"]}}
    if not call.content.has_pipelines:
        return 400, {"message": {"base": ["Missing CI config file"]}}
    call.content.pipelines.append({"id": number, "ref": ref, "variables": call.body.get("variables", [])})
    return 201, {"id": number, "ref": ref, "status": "created", "web_url": f"{call.web}/-/pipelines/{number}"}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    method: str
    path: str
    scopes: tuple[str, ...]
    answer: Callable[[_Call], Answer]


PROJECT = r"/gitlab/api/v4/projects/(?P<project>[^/]+)"
ENDPOINTS = (
    _Endpoint("GET", r"repository/files/(?P<path>[^/]+)", (*READS, "read_repository"), _read_file),
    _Endpoint("POST", "issues", ("api",), _create_issue),
    _Endpoint("POST", r"(?P<what>issues|merge_requests)/(?P<number>[0-9]{1,9})/notes", ("api",), _create_note),
    _Endpoint("POST", "merge_requests", ("api",), _create_merge_request),
    _Endpoint("POST", "pipeline", ("api",), _create_pipeline),
)


def _endpoint(request: Request) -> tuple[_Endpoint, dict[str, str]] | None:
    """By the path as it came: a slash that is encoded is part of a name."""
    path = request.scope["raw_path"].decode("ascii")
    for endpoint in ENDPOINTS:
        found = re.fullmatch(f"{PROJECT}/{endpoint.path}", path)
        if found is not None and request.method == endpoint.method:
            return endpoint, found.groupdict()
    return None


async def _body(request: Request) -> Json | None:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None
