"""The simulated Slack's OAuth v2: the page on which a person adds an app to a workspace, and `oauth.v2.access`.

Made in app.py. A workspace is any that some token made by hand belongs to; what is issued is like that token. Whether
tokens rotate is the client's setting: those of one without a lifetime don't.
"""

import binascii
from base64 import b64decode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.consent import asked_of, back_to_client, consent_page, refused_page
from sandbox.oauth import Client, Refused
from sandbox.slack_answers import Arguments, arguments_of, json_answer, server_error
from sandbox.slack_grants import SlackGrants
from sandbox.state import SandboxState
from sandbox.tokens import Service

SERVICE = "Slack"
REFUSALS = {
    Refused.CODE: "invalid_code",
    Refused.VERIFIER: "invalid_code",
    Refused.REDIRECT_URI: "bad_redirect_uri",
    Refused.REFRESH_TOKEN: "invalid_refresh_token",
}


class SlackLogin:
    def __init__(self, state: SandboxState, grants: SlackGrants) -> None:
        self._state = state
        self._grants = grants

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/slack/oauth/v2/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/slack/api/oauth.v2.access", self.access, methods=["GET", "POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """`?login=` (a workspace's domain) answers for the person at once; without it there is a page to click."""
        if self._state.is_down(Service.SLACK):
            return server_error(503)
        asked = await asked_of(request)
        client = self._state.find_client(Service.SLACK, asked.get("client_id"))
        if client is None:
            return refused_page(SERVICE, "Invalid client_id parameter.")
        redirect_uri = asked.get("redirect_uri", client.redirect_uris[0])
        if not client.allows(redirect_uri):
            return refused_page(SERVICE, "redirect_uri did not match any configured URIs.")
        scopes = [scope for scope in asked.get("scope", "").replace(" ", ",").split(",") if scope]
        if not scopes:
            return refused_page(SERVICE, "Invalid permissions requested: no scopes.")
        if asked.get("decision") == "cancel":
            return back_to_client(redirect_uri, error="access_denied", state=asked.get("state"))
        workspaces = self._grants.workspaces()
        workspace = workspaces.get(asked.get("login", ""))
        if workspace is None:
            return consent_page(SERVICE, client.id, sorted(workspaces), scopes, asked)
        code = self._grants.authorize(client, workspace, redirect_uri, scopes)
        return back_to_client(redirect_uri, code=code, state=asked.get("state"))

    async def access(self, request: Request) -> Response:
        """A refusal is HTTP 200 with `ok: false`, as everywhere at Slack."""
        self._state.record(None, Service.SLACK, request.method, "/oauth.v2.access")
        if self._state.is_down(Service.SLACK):
            return server_error(503)
        arguments = await arguments_of(request)
        if arguments is None:
            return _refusal("invalid_json")
        client_id, secret = _shown_by(request, arguments)
        client = self._state.find_client(Service.SLACK, client_id)
        if client is None:
            return _refusal("invalid_client_id")
        if not client.is_authentic(secret):
            return _refusal("bad_client_secret")
        answer = self._answer(client, arguments)
        return _refusal(answer) if isinstance(answer, str) else json_answer(answer)

    def _answer(self, client: Client, arguments: Arguments) -> dict[str, object] | str:
        match arguments.get("grant_type", "authorization_code"):
            case "authorization_code":
                redirect_uri = arguments.get("redirect_uri", client.redirect_uris[0])
                answer = self._grants.redeem(client, arguments.get("code", ""), redirect_uri)
            case "refresh_token":
                answer = self._grants.refresh(client, arguments.get("refresh_token", ""))
            case _:
                return "invalid_grant_type"
        return REFUSALS[answer] if isinstance(answer, Refused) else answer


def _shown_by(request: Request, arguments: Arguments) -> tuple[str, str]:
    """Id and secret: from `Authorization: Basic X`, which Slack prefers, else from the arguments."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return arguments.get("client_id", ""), arguments.get("client_secret", "")
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret


def _refusal(error: str) -> Response:
    return json_answer({"ok": False, "error": error})
