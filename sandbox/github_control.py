"""The part of the control API that is GitHub's alone: apps, installations, and webhooks to send. Made in app.py."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control_answers import document_of, json_answer, not_found, unprocessable
from sandbox.github_apps import App, Installation
from sandbox.github_webhooks import GitHubWebhooks
from sandbox.json_reader import JsonReader, Problem
from sandbox.ready_made import github_token
from sandbox.state import SandboxState
from sandbox.token_settings import read_github_account, read_quota, read_repository
from sandbox.tokens import GitHubRepository


class GitHubControl:
    def __init__(self, state: SandboxState, webhooks: GitHubWebhooks) -> None:
        self._state = state
        self._webhooks = webhooks

    def routes(self) -> list[BaseRoute]:
        installation = "/_sandbox/github/installations/{installation_id:int}"
        return [
            Route("/_sandbox/github/apps/{app_id}", self.put_app, methods=["PUT"]),
            Route("/_sandbox/github/apps/{app_id}/key", self.create_key, methods=["POST"]),
            Route(installation, self.put_installation, methods=["PUT"]),
            Route(installation, self.delete_installation, methods=["DELETE"]),
            Route("/_sandbox/github/deliveries", self.create_delivery, methods=["POST"]),
            Route("/_sandbox/github/repositories/{owner}/{name}", self.get_repository, methods=["GET"]),
            Route("/_sandbox/github/repositories/{owner}/{name}", self.put_repository, methods=["PUT"]),
        ]

    async def put_app(self, request: Request) -> Response:
        """Create (201) or change (200) an app; what is left out stays."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        app_id = request.path_params["app_id"]
        existing = self._state.github_apps.apps.get(app_id)
        app = existing or App(id=app_id, slug=f"app-{app_id}")
        settings = JsonReader(document)
        slug = settings.text("slug", app.slug)
        public_key = settings.text_or_null("public_key") or app.public_key
        client_id = settings.text_or_null("client_id") or app.client_id
        permissions = settings.texts_by_name("permissions", app.permissions)
        if not (app_id.isascii() and app_id.isdigit()):
            settings.complain("", "an app's id is a number")
        if problems := settings.problems():
            return unprocessable(problems)
        app.slug, app.public_key, app.client_id, app.permissions = slug, public_key, client_id, permissions
        self._state.github_apps.apps[app_id] = app
        return json_answer({"id": app.id, "slug": slug, "client_id": client_id}, 200 if existing else 201)

    async def create_key(self, request: Request) -> Response:
        """A new private key for the app, in PEM; the one before counts no longer."""
        app = self._state.github_apps.apps.get(request.path_params["app_id"])
        return not_found("app") if app is None else PlainTextResponse(app.make_key(), 201)

    async def put_installation(self, request: Request) -> Response:
        """Install (201) or change (200); what is left out stays. Its webhooks are sent before it answers."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        installation_id = request.path_params["installation_id"]
        before = self._state.github_apps.installations.get(installation_id)
        after = self._read_installation(installation_id, before, JsonReader(document))
        if isinstance(after, list):
            return unprocessable(after)
        self._state.github_apps.installations[installation_id] = after
        await self._tell(before, after, request)
        return json_answer(_shown(after), 201 if before is None else 200)

    async def delete_installation(self, request: Request) -> Response:
        """Uninstall: its tokens end, and the webhook is sent."""
        installation = self._state.github_apps.installations.get(request.path_params["installation_id"])
        if installation is None:
            return not_found("installation")
        self._state.remove_installation(installation)
        await self._webhooks.send_installation("deleted", installation, request)
        return Response(status_code=204)

    async def create_delivery(self, request: Request) -> Response:
        """Send one webhook, signed; says its id and the status with which it was answered."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        event, delivery_id = settings.text("event", "ping"), settings.text_or_null("id")
        payload = settings.document("payload")
        if problems := settings.problems():
            return unprocessable(problems)
        sent = await self._webhooks.send(event, payload, delivery_id)
        if sent is None:
            return json_answer({"message": "No address is set: PUT /_sandbox/webhooks/github."}, 409)
        return json_answer(sent, 201)

    async def get_repository(self, request: Request) -> Response:
        """What callers have made in a repository, as they have asked for it."""
        content = self._state.github_contents.of(_full_name(request))
        made = {"issues": content.issues, "comments": content.comments, "pulls": content.pulls}
        return json_answer({**made, "dispatches": content.dispatches, "branches": content.branches})

    async def put_repository(self, request: Request) -> Response:
        """Change what a repository is; what is left out stays. `files` are texts by their paths."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        content, settings = self._state.github_contents.of(_full_name(request)), JsonReader(document)
        files = settings.texts_by_name("files", {})
        branches = settings.texts("branches", tuple(content.branches))
        has_issues = settings.flag("has_issues", content.has_issues)
        tells_runs = settings.flag("tells_runs", content.tells_runs)
        moved, locked = settings.flag("moved", content.moved), settings.flag("locked", bool(content.locked))
        hurried = settings.flag("hurried", content.hurried)
        if problems := settings.problems():
            return unprocessable(problems)
        content.files |= {path: text.encode() for path, text in files.items()}
        content.branches, content.has_issues, content.tells_runs = list(branches), has_issues, tells_runs
        content.moved, content.hurried, content.locked = moved, hurried, [1] if locked else []
        return await self.get_repository(request)

    def _read_installation(
        self, installation_id: int, before: Installation | None, settings: JsonReader
    ) -> Installation | list[Problem]:
        now = self._state.now()
        default_app = before.app if before else next(iter(self._state.github_apps.apps.values()))
        app = self._state.github_apps.apps.get(settings.text("app_id", default_app.id))
        if app is None:
            settings.complain("app_id", "no app of this id")
        like = github_token("", now)
        account = read_github_account(settings.part("account"), before.account if before else like.account)
        repositories = before.repositories if before else like.repositories
        if settings.has("repositories"):
            repositories = tuple(
                read_repository(part, index) for index, part in enumerate(settings.parts("repositories"))
            )
        suspended = settings.flag("suspended", before is not None and before.suspended_at is not None)
        suspended_at = (before.suspended_at if before else None) or now
        quota = before.quota if before else like.quota
        if settings.has("quota"):
            quota.set(read_quota(settings.part("quota"), quota, now))
        installation = Installation(
            id=installation_id,
            app=app or default_app,
            account=account,
            repositories=repositories,
            permissions=settings.texts_by_name(
                "permissions", before.permissions if before else default_app.permissions
            ),
            users=settings.texts("users", before.users if before else (account.login,)),
            owners=settings.texts("owners", before.owners if before else ()),
            quota=quota,
            suspended_at=suspended_at if suspended else None,
            fresh_token_refusals=settings.integer("fresh_token_refusals", before.fresh_token_refusals if before else 0),
        )
        return settings.problems() or installation

    async def _tell(self, before: Installation | None, after: Installation, request: Request) -> None:
        if before is None:
            await self._webhooks.send_installation("created", after, request)
            return
        if (before.suspended_at is None) != (after.suspended_at is None):
            action = "unsuspend" if after.suspended_at is None else "suspend"
            await self._webhooks.send_installation(action, after, request)
        if before.permissions != after.permissions:
            await self._webhooks.send_installation("new_permissions_accepted", after, request)
        added, removed = _without(after, before), _without(before, after)
        if added:
            await self._webhooks.send_installation_repositories(after, added, [], request)
        if removed:
            await self._webhooks.send_installation_repositories(after, [], removed, request)


def _full_name(request: Request) -> str:
    return f"{request.path_params['owner']}/{request.path_params['name']}"


def _without(these: Installation, those: Installation) -> list[GitHubRepository]:
    ids = {each.id for each in those.repositories}
    return [each for each in these.repositories if each.id not in ids]


def _shown(installation: Installation) -> dict[str, object]:
    return {
        "id": installation.id,
        "app_id": installation.app.id,
        "account": {"id": installation.account.id, "login": installation.account.login},
        "repositories": len(installation.repositories),
        "suspended": installation.suspended_at is not None,
    }
