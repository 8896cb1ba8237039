"""What the simulated GitHub does in a repository, for who may: the endpoints of github_repository_api.py."""

from base64 import encodebytes
from hashlib import sha1

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.github_answers import json_answer, refusal, web_url
from sandbox.github_content import Json, RepositoryContent
from sandbox.github_headers import Headers, common_headers
from sandbox.github_objects import account_json
from sandbox.tokens import GitHubToken

LONGEST_JSON_FILE_BYTES = 1024 * 1024


class RepositoryCall:
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


def read_file(call: RepositoryCall) -> Response:
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


def create_issue(call: RepositoryCall) -> Response:
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


def create_comment(call: RepositoryCall) -> Response:
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


def create_pull(call: RepositoryCall) -> Response:
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


def dispatch(call: RepositoryCall) -> Response:
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
