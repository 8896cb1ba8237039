"""SlackAuthorization: how a browser adds the operator's app to a workspace, and how the bot's token is refreshed.

OAuth v2 without PKCE, which would make the app a public one and end its refresh tokens after 30 days. Called by
AuthorizationFlows and CredentialRefresher.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from domain.credential_secrets import OAuthSecret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import ServiceFault
from domain.services.slack.answers import SERVICE_ID, SERVICE_NAME
from domain.services.slack.grants import read_exchanged, read_refreshed
from domain.services.slack.web_api import WebApi
from domain.services.token_refusals import TokenRefusals


class SlackAuthorization:
    """The operator's app at one Slack."""

    methods: Sequence[AuthorizationMethod] = (AuthorizationMethod.OAUTH2,)
    uses_pkce = False
    issuer: str | None = None

    def __init__(self, api: WebApi, web_url: str, client: OAuthClient, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._web_url = web_url
        self._client = client
        self._clock = clock

    def address(self, request: AuthorizationRequest) -> str:
        query = {
            "client_id": self._client.client_id,
            "scope": ",".join(request.scopes),
            "state": request.state.reveal(),
            "redirect_uri": request.redirect_uri,
        }
        return f"{self._web_url}/oauth/v2/authorize?{urlencode(query)}"

    async def exchange(self, returned: AuthorizationReturn) -> Grant | ServiceFault:
        code = returned.query.get("code")
        if not code:
            return _REFUSALS.code_missing()
        answer = await self._api.call_as_client(
            "oauth.v2.access", self._client, {"code": code, "redirect_uri": returned.redirect_uri}
        )
        return answer if isinstance(answer, ServiceFault) else read_exchanged(answer, self._clock())

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        if secret.refresh_token is None:
            return _REFUSALS.refresh_token_missing()
        answer = await self._api.call_as_client(
            "oauth.v2.access",
            self._client,
            {"grant_type": "refresh_token", "refresh_token": secret.refresh_token.reveal()},
        )
        if isinstance(answer, ServiceFault):
            return answer
        return read_refreshed(answer, secret.refresh_token, self._clock())


_REFUSALS: Final = TokenRefusals(SERVICE_ID, SERVICE_NAME)
