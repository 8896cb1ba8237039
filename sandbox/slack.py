"""The simulated Slack: its Web API under /slack/api and, for links to lead somewhere, its web under /slack.

A refusal is HTTP 200 with `ok: false`; only the rate limit (429) and a broken server (5xx) speak by status.
"""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import fault, fault_after
from sandbox.slack_answers import Arguments, arguments_of, json_answer, server_error
from sandbox.slack_channels import Json, channel_json, cursor_of, is_wanted, position_of
from sandbox.slack_events import SlackEvents
from sandbox.slack_grants import SlackGrants
from sandbox.slack_messages import SlackMessages
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, Service, SlackToken
from sandbox.web_pages import account_page, page_not_found

METHODS = ["GET", "HEAD", "POST"]

ERRORS = {
    Behaviour.REVOKED: "token_revoked",
    Behaviour.EXPIRED: "token_expired",
    Behaviour.INVALID_AUTH: "invalid_auth",
    Behaviour.ACCOUNT_INACTIVE: "account_inactive",
    Behaviour.ORG_LOGIN_REQUIRED: "org_login_required",
    Behaviour.EKM_ACCESS_DENIED: "ekm_access_denied",
    Behaviour.ACCESSLIMITED: "accesslimited",
    Behaviour.INTERNAL_ERROR: "internal_error",
}


class Slack:
    def __init__(self, state: SandboxState, grants: SlackGrants, events: SlackEvents) -> None:
        self._state = state
        self._grants = grants
        self._events = events
        self._methods: dict[str, Callable[[Request, SlackToken, Arguments], Json]] = {
            "apps.uninstall": self._apps_uninstall,
            "auth.revoke": self._auth_revoke,
            "auth.test": self._auth_test,
            "conversations.list": self._conversations_list,
            **{name: _in_channels(*method) for name, method in SlackMessages(state).methods().items()},
        }

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/slack/api/{method}", self.api, methods=METHODS),
            Route("/slack", self.web),
            Route("/slack/{path:path}", self.web),
        ]

    async def api(self, request: Request) -> Response:
        method_name = str(request.path_params["method"])
        arguments = await arguments_of(request)
        presented = _presented_token(request, arguments or {})
        token = self._state.find(presented, SlackToken)
        self._state.record(token, Service.SLACK, request.method, f"/{method_name}")
        if self._state.is_down(Service.SLACK):
            return server_error(503)
        method = self._methods.get(method_name)
        if method is None:
            return json_answer({"ok": False, "error": "unknown_method", "req_method": method_name})
        if arguments is None:
            return json_answer({"ok": False, "error": "invalid_json"})
        if presented is None:
            return json_answer({"ok": False, "error": "not_authed"})
        if token is None:
            if method_name == "auth.revoke" and self._grants.revoke(presented):  # of a refresh token
                return json_answer({"ok": True, "revoked": True})
            return json_answer({"ok": False, "error": "invalid_auth"})
        now = self._state.now()
        behaviour = token.next_behaviour(now)
        answer = await fault(token, behaviour) or _misbehaviour(token, behaviour) or _limit(token, now)
        if answer is not None:
            return answer
        body = method(request, token, arguments)
        await self._events.flush()  # before it answers, so that whoever asked knows them sent
        done = json_answer(body, {"x-oauth-scopes": ",".join(token.scopes or ())})
        return await fault_after(token, behaviour, done)

    def _auth_test(self, request: Request, token: SlackToken, arguments: Arguments) -> Json:
        answer: Json = {
            "ok": True,
            "url": f"{request.base_url}slack/{token.account.login}/",
            "team": token.account.name,
            "user": token.bot.user,
            "team_id": token.account.id,
            "user_id": token.bot.user_id,
            "bot_id": token.bot.bot_id,
            "is_enterprise_install": False,
        }
        if token.expires_at is not None:
            answer["expires_in"] = int((token.expires_at - self._state.now()).total_seconds())
        return answer

    def _auth_revoke(self, request: Request, token: SlackToken, arguments: Arguments) -> Json:
        """`test` only asks whether it could be."""
        if arguments.get("test", "") in {"1", "true"}:
            return {"ok": True, "revoked": False}
        self._grants.revoke(token.name)
        self._events.tokens_revoked(token)
        return {"ok": True, "revoked": True}

    def _apps_uninstall(self, request: Request, token: SlackToken, arguments: Arguments) -> Json:
        """For the app's own client, with any token that it has in the workspace."""
        client = self._state.find_client(Service.SLACK, arguments.get("client_id"))
        if client is None:
            return {"ok": False, "error": "invalid_client_id"}
        if not client.is_authentic(arguments.get("client_secret", "")):
            return {"ok": False, "error": "bad_client_secret"}
        if self._grants.client_of(token) is not client:
            return {"ok": False, "error": "client_id_token_mismatch"}
        self._grants.uninstall(client, token.account.id)
        self._events.tokens_revoked(token)
        self._events.app_uninstalled(token)
        return {"ok": True}

    def _conversations_list(self, request: Request, token: SlackToken, arguments: Arguments) -> Json:
        """Public channels and, with `types=private_channel` and its scope, private ones; nobody has direct messages."""
        types = arguments.get("types", "public_channel").split(",")
        if any(each not in {"public_channel", "private_channel", "mpim", "im"} for each in types):
            return {"ok": False, "error": "invalid_types"}
        needed = {
            "public_channel": "channels:read",
            "private_channel": "groups:read",
            "mpim": "mpim:read",
            "im": "im:read",
        }
        missing = [needed[each] for each in types if needed[each] not in (token.scopes or ())]
        if missing:
            return _missing_scope(token, ",".join(missing))
        limit = arguments.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= 1000):
            return {"ok": False, "error": "invalid_limit"}
        channels = [each for each in token.channels if is_wanted(each, types, arguments.get("exclude_archived", ""))]
        first = position_of(channels, arguments.get("cursor", ""))
        if first is None:
            return {"ok": False, "error": "invalid_cursor"}
        after, joined = first + int(limit), self._state.slack_workspaces.of(token.account.id).joined
        next_cursor = cursor_of(channels[after]) if after < len(channels) else ""
        return {
            "ok": True,
            "channels": [channel_json(each, token, joined) for each in channels[first:after]],
            "response_metadata": {"next_cursor": next_cursor},
        }

    async def web(self, request: Request) -> Response:
        """Pages of the workspaces that some token here belongs to."""
        if self._state.is_down(Service.SLACK):
            return server_error(503)
        match str(request.path_params.get("path", "")).strip("/").split("/"):
            case [""]:
                return account_page("Slack", "The simulated Slack.")
            case ["archives", channel, *_]:
                return account_page("Slack", channel)
            case [domain] if any(domain == token.account.login for token in self._state.all_of(SlackToken)):
                return account_page("Slack", domain)
            case _:
                return page_not_found("Slack")


def _in_channels(
    scope: str, method: Callable[[SlackToken, Arguments], Json]
) -> Callable[[Request, SlackToken, Arguments], Json]:
    """The method, for who has the scope."""

    def asked(_: Request, token: SlackToken, arguments: Arguments) -> Json:
        return method(token, arguments) if scope in (token.scopes or ()) else _missing_scope(token, scope)

    return asked


def _presented_token(request: Request, arguments: Arguments) -> str | None:
    """From `Authorization: Bearer X`, else from the argument `token` of a POST."""
    header = request.headers.get("authorization")
    if header is None:
        return arguments.get("token") if request.method == "POST" else None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _misbehaviour(token: SlackToken, behaviour: Behaviour) -> Response | None:
    match behaviour:
        case Behaviour.SERVER_ERROR:
            return server_error(token.status or 500)
        case Behaviour.RATE_LIMITED:
            return _rate_limited(token.retry_after_seconds)
        case Behaviour.MISSING_SCOPE:
            return json_answer(_missing_scope(token, "channels:read"), {"x-oauth-scopes": ",".join(token.scopes or ())})
        case _ if behaviour in ERRORS:
            return json_answer({"ok": False, "error": ERRORS[behaviour]})
        case _:
            return None


def _limit(token: SlackToken, now: datetime) -> Response | None:
    """Slack never says how much is left, only that nothing is."""
    token.quota.renew(now)
    if token.quota.remaining == 0:
        return _rate_limited(token.quota.seconds_to_reset(now))
    token.quota.take()
    return None


def _rate_limited(retry_after_seconds: int) -> Response:
    return json_answer({"ok": False, "error": "ratelimited"}, {"retry-after": str(retry_after_seconds)}, status=429)


def _missing_scope(token: SlackToken, needed: str) -> Json:
    return {"ok": False, "error": "missing_scope", "needed": needed, "provided": ",".join(token.scopes or ())}
