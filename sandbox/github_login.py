"""The simulated GitHub's OAuth: the pages on which a person authorizes or installs an app, and the token endpoint.

Made in app.py. A person is anybody whose token the sandbox knows; what is issued is like that token.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.consent import asked_of, back_to_client, consent_page, refused_page
from sandbox.github_answers import entrance, json_answer, refusal, server_error
from sandbox.github_apps import App, Installation
from sandbox.github_headers import common_headers
from sandbox.oauth import Client, Issued, OAuthServer, Refused
from sandbox.state import SandboxState
from sandbox.tokens import GitHubToken, Quota, Service
from sandbox.web_pages import page_not_found

SERVICE = "GitHub"
ERRORS = {
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this application.",
    "bad_verification_code": "The code passed is incorrect or expired.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The grant type is not supported.",
}
REFUSALS = {
    Refused.CODE: "bad_verification_code",
    Refused.VERIFIER: "bad_verification_code",
    Refused.REDIRECT_URI: "redirect_uri_mismatch",
    Refused.REFRESH_TOKEN: "bad_refresh_token",
}


class GitHubLogin:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._app_tokens = OAuthServer[GitHubToken](
            state.now, state.forget, access_prefix="ghu_", refresh_prefix="ghr_"
        )
        self._oauth_tokens = OAuthServer[GitHubToken](
            state.now, state.forget, access_prefix="gho_", refresh_prefix="ghr_"
        )

    def routes(self) -> list[BaseRoute]:
        token = "/github/api/applications/{client_id}/token"  # noqa: S105 - an address
        return [
            Route("/github/login/oauth/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/github/login/oauth/access_token", self.access_token, methods=["POST"]),
            Route("/github/apps/{slug}/installations/new", self.install, methods=["GET", "POST"]),
            Route(token, self.revoke, methods=["DELETE"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """`?login=` answers for the person at once; without it there is a page to click."""
        if self._state.is_down(Service.GITHUB):
            return server_error(503)
        asked = await asked_of(request)
        client = self._state.find_client(Service.GITHUB, asked.get("client_id"))
        if client is None:
            return page_not_found(SERVICE)
        redirect_uri = asked.get("redirect_uri", client.redirect_uris[0])
        if not client.allows(redirect_uri):
            return refused_page(SERVICE, ERRORS["redirect_uri_mismatch"])
        state, scopes = asked.get("state"), asked.get("scope", "").replace(",", " ").split()
        if asked.get("decision") == "cancel":
            description = "The user has denied your application access."
            return back_to_client(redirect_uri, error="access_denied", error_description=description, state=state)
        person = self._person(asked.get("login"))
        if person is None:
            return consent_page(SERVICE, client.id, self._logins(), scopes, asked)
        code = self._server(client).authorize(
            client, person, redirect_uri=redirect_uri, scopes=scopes, code_challenge=asked.get("code_challenge") or None
        )
        return back_to_client(redirect_uri, code=code, state=state)

    async def install(self, request: Request) -> Response:
        """Installs on the account `account`, or else the person's own; `decision=request` only asks its owner to.

        As with GitHub, the browser goes on to the first redirect address of the app's client.
        """
        if self._state.is_down(Service.GITHUB):
            return server_error(503)
        app = self._state.github_apps.by_slug(request.path_params["slug"])
        client = self._state.find_client(Service.GITHUB, app.client_id) if app is not None else None
        if app is None or client is None:
            return page_not_found(SERVICE)
        asked = await asked_of(request)
        redirect_uri, state = client.redirect_uris[0], asked.get("state")
        person = self._person(asked.get("login"))
        if person is None or asked.get("decision") == "cancel":  # cancelling an installation leads nowhere
            return consent_page(
                SERVICE, app.slug, self._logins(), [f"{k}: {v}" for k, v in app.permissions.items()], asked
            )
        owner = self._person(asked.get("account")) or person
        code = self._app_tokens.authorize(client, person, redirect_uri=redirect_uri)
        if asked.get("decision") == "request":
            return back_to_client(redirect_uri, code=code, setup_action="request", state=state)
        existing = self._state.github_apps.on_account(app, owner.account.login)
        installation = existing or self._installed(app, owner, person)
        action = "install" if existing is None else "update"
        return back_to_client(
            redirect_uri, code=code, installation_id=str(installation.id), setup_action=action, state=state
        )

    async def access_token(self, request: Request) -> Response:
        """Errors are HTTP 200 with `error` in the body, as GitHub's are."""
        stopped = entrance(self._state, request, "/login/oauth/access_token", None)
        if stopped is not None:
            return stopped
        asked = await _parameters(request)
        client = self._state.find_client(Service.GITHUB, asked.get("client_id"))
        if client is None or not client.is_authentic(asked.get("client_secret", "")):
            return _told(request, _error("incorrect_client_credentials"))
        match asked.get("grant_type", "authorization_code"):
            case "authorization_code":
                issued = self._server(client).redeem(
                    client,
                    asked.get("code", ""),
                    redirect_uri=asked.get("redirect_uri", client.redirect_uris[0]),
                    code_verifier=asked.get("code_verifier"),
                )
            case "refresh_token":
                issued = self._server(client).refresh(client, asked.get("refresh_token", ""))
            case _:
                return _told(request, _error("unsupported_grant_type"))
        if isinstance(issued, Refused):
            return _told(request, _error(REFUSALS[issued]))
        return _told(request, self._token_json(client, issued))

    async def revoke(self, request: Request) -> Response:
        client_id = request.path_params["client_id"]
        stopped = entrance(self._state, request, f"/applications/{client_id}/token", None)
        if stopped is not None:
            return stopped
        client = self._state.find_client(Service.GITHUB, client_id)
        if client is None or _basic(request) != (client.id, client.secret):
            return refusal(401, "Bad credentials")
        try:
            document = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return refusal(400, "Problems parsing JSON")
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str):
            return refusal(422, "Invalid request.")
        if not self._server(client).revoke(client, token):
            return refusal(404, "Not Found")
        return Response(status_code=204, headers=common_headers())

    def _server(self, client: Client) -> OAuthServer[GitHubToken]:
        return self._oauth_tokens if self._state.github_apps.of_client(client.id) is None else self._app_tokens

    def _people(self) -> Iterator[GitHubToken]:
        """The tokens that people have made themselves."""
        for token in self._state.tokens.values():
            if isinstance(token, GitHubToken) and token.client_id is None and token.installation_id is None:
                yield token

    def _person(self, login: str | None) -> GitHubToken | None:
        return next((each for each in self._people() if each.account.login == login), None)

    def _logins(self) -> list[str]:
        return sorted({each.account.login for each in self._people()})

    def _installed(self, app: App, owner: GitHubToken, person: GitHubToken) -> Installation:
        apps = self._state.github_apps
        installation = Installation(
            id=apps.next_installation_id(),
            app=app,
            account=owner.account,
            repositories=owner.repositories,
            permissions=dict(app.permissions),
            users=(person.account.login,),
            owners=(person.account.login,),  # others only ask for it: `decision=request`
            quota=Quota.full(5000, 3600, self._state.now()),
        )
        apps.installations[installation.id] = installation
        return installation

    def _token_json(self, client: Client, issued: Issued[GitHubToken]) -> dict[str, object]:
        now, is_app = self._state.now(), self._state.github_apps.of_client(client.id) is not None
        seconds = issued.expires_in_seconds
        self._state.put(
            replace(
                issued.subject,
                name=issued.access_token,
                client_id=client.id,
                scopes=None if is_app else issued.scopes,
                expires_at=None if seconds is None else now + timedelta(seconds=seconds),
                quota=Quota.full(issued.subject.quota.limit, issued.subject.quota.window_seconds, now),
            )
        )
        answer: dict[str, object] = {
            "access_token": issued.access_token,
            "token_type": "bearer",
            "scope": "" if is_app else ",".join(issued.scopes),
        }
        if issued.refresh_token is not None:
            answer |= {"expires_in": seconds, "refresh_token": issued.refresh_token}
            answer |= {"refresh_token_expires_in": issued.refresh_expires_in_seconds}
        return answer


async def _parameters(request: Request) -> dict[str, str]:
    """From the query, the form or the JSON object in the body."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = {}
        given = {name: str(value) for name, value in document.items()} if isinstance(document, dict) else {}
    else:
        given = dict(parse_qsl(body.decode("utf-8", "replace")))
    return dict(request.query_params) | given


def _error(name: str) -> dict[str, object]:
    return {"error": name, "error_description": ERRORS[name], "error_uri": "https://docs.github.com/apps/oauth-apps"}


def _told(request: Request, answer: dict[str, object]) -> Response:
    """JSON where it is asked for, else a form."""
    if "application/json" in request.headers.get("accept", ""):
        return json_answer(200, answer, {"cache-control": "no-store"})
    return Response(urlencode(answer), media_type="application/x-www-form-urlencoded")


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if scheme.lower() == "basic" else None
