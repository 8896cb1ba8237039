"""The part of the control API that is GitLab's alone: what is in its projects. Made in app.py."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.control_answers import document_of, json_answer, unprocessable
from sandbox.json_reader import JsonReader, Problem
from sandbox.state import SandboxState


class GitLabControl:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/_sandbox/gitlab/projects/{path:path}", self.get_project, methods=["GET"]),
            Route("/_sandbox/gitlab/projects/{path:path}", self.put_project, methods=["PUT"]),
        ]

    async def get_project(self, request: Request) -> Response:
        """What callers have made in a project, as they have asked for it."""
        content = self._state.gitlab_contents.of(request.path_params["path"])
        made = {"issues": content.issues, "notes": content.notes, "merge_requests": content.merge_requests}
        return json_answer({**made, "pipelines": content.pipelines, "branches": content.branches})

    async def put_project(self, request: Request) -> Response:
        """Change what a project is; what is left out stays. `files` are texts by their paths."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        content, settings = self._state.gitlab_contents.of(request.path_params["path"]), JsonReader(document)
        files = settings.texts_by_name("files", {})
        branches = settings.texts("branches", tuple(content.branches))
        has_pipelines = settings.flag("has_pipelines", content.has_pipelines)
        if problems := settings.problems():
            return unprocessable(problems)
        content.files |= {path: text.encode() for path, text in files.items()}
        content.branches, content.has_pipelines = list(branches), has_pipelines
        return await self.get_project(request)
