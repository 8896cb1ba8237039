"""What the simulated Slack has given to which apps: the installations of an app in workspaces, and their tokens.

Used by slack_login.py, which gives, and by slack.py, which takes back.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from sandbox.oauth import Client, Issued, OAuthServer, Refused
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, Quota, SlackToken

Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Grant:
    client: Client
    team_id: str


class SlackGrants:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._server = OAuthServer[SlackToken](state.now, self._end, access_prefix="xoxb-", refresh_prefix="xoxe-1-")
        self._grants: dict[str, _Grant] = {}  # by access token

    def workspaces(self) -> dict[str, SlackToken]:
        """By domain: one of the tokens that somebody has made there by hand."""
        tokens = [each for each in self._state.all_of(SlackToken) if each.name not in self._grants]
        return {each.account.login: each for each in reversed(tokens)}

    def authorize(self, client: Client, workspace: SlackToken, redirect_uri: str, scopes: list[str]) -> str:
        """The person allows it: a code."""
        return self._server.authorize(client, workspace, redirect_uri=redirect_uri, scopes=scopes)

    def redeem(self, client: Client, code: str, redirect_uri: str) -> Answer | Refused:
        """As at Slack, an app without token rotation has one token for each workspace, which every installation gives
        out again with all the scopes that it ever had."""
        issued = self._server.redeem(client, code, redirect_uri=redirect_uri)
        if isinstance(issued, Refused):
            return issued
        existing = self._only_token(client, issued.subject.account.id) if issued.refresh_token is None else None
        if existing is None:
            return self._given(client, issued)
        self._server.revoke(client, issued.access_token)
        existing.scopes = tuple(dict.fromkeys((*(existing.scopes or ()), *issued.scopes)))
        return _answer(existing, {})

    def refresh(self, client: Client, refresh_token: str) -> Answer | Refused:
        issued = self._server.refresh(client, refresh_token)
        return issued if isinstance(issued, Refused) else self._given(client, issued)

    def revoke(self, token: str) -> bool:
        """End an access or refresh token and those that go back to the same code; False for one that isn't known."""
        by_hand = self._state.find(token, SlackToken)
        if by_hand is not None and token not in self._grants:
            self._end(token)
            return True
        clients = {id(grant.client): grant.client for grant in self._grants.values()}
        return any(self._server.revoke(client, token) for client in clients.values())

    def uninstall(self, client: Client, team_id: str) -> None:
        """Remove the app from the workspace: all its tokens there end."""
        for name, grant in self._grants.items():
            if grant == _Grant(client, team_id):
                self._server.revoke(client, name)

    def client_of(self, token: SlackToken) -> Client | None:
        """The app that it was given to; None for a token made by hand."""
        grant = self._grants.get(token.name)
        return None if grant is None else grant.client

    def _only_token(self, client: Client, team_id: str) -> SlackToken | None:
        names = [name for name, grant in self._grants.items() if grant == _Grant(client, team_id)]
        tokens = [self._state.find(name, SlackToken) for name in names]
        return next((each for each in tokens if each is not None and each.behaviour is not Behaviour.REVOKED), None)

    def _given(self, client: Client, issued: Issued[SlackToken]) -> Answer:
        now, seconds = self._state.now(), issued.expires_in_seconds
        token = replace(
            issued.subject,
            name=issued.access_token,
            scopes=issued.scopes,
            expires_at=None if seconds is None else now + timedelta(seconds=seconds),
            quota=Quota.full(issued.subject.quota.limit, issued.subject.quota.window_seconds, now),
            behaviour=Behaviour.NORMAL,
            behaviour_calls=None,
        )
        self._state.put(token)
        self._grants[token.name] = _Grant(client, token.account.id)
        rotating: Answer = {"refresh_token": issued.refresh_token, "expires_in": seconds}
        return _answer(token, {} if issued.refresh_token is None else rotating)

    def _end(self, name: str) -> None:
        """From now on Slack calls it revoked, rather than unknown."""
        token = self._state.find(name, SlackToken)
        if token is not None:
            token.behaviour, token.behaviour_calls, token.expires_at = Behaviour.REVOKED, None, None


def _answer(token: SlackToken, rotating: Answer) -> Answer:
    return {
        "ok": True,
        "app_id": "A0SANDBOX",
        "authed_user": {"id": "U0PERSON"},
        "scope": ",".join(token.scopes or ()),
        "token_type": "bot",
        "access_token": token.name,
        "bot_user_id": token.bot.user_id,
        "team": {"id": token.account.id, "name": token.account.name},
        "enterprise": None,
        "is_enterprise_install": False,
        **rotating,
    }
