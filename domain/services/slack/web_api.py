"""Slack's Web API: how one of its methods is called, with a connection's token or with our own client's secret.

Used by everything in this folder that asks Slack. What an answer means is for `answers.py` and `grants.py`.
"""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.health import Remedy
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.secret import Secret
from domain.services.boundary import malformed_token, transport_fault
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack.answers import SERVICE_ID, SERVICE_NAME


class WebApi:
    """The methods below `api_url`. Only a call that is `idempotent` is tried again."""

    def __init__(self, http: HttpClient, api_url: str) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")

    async def call(
        self, method: str, secret: CredentialSecret, arguments: Mapping[str, str], *, idempotent: bool
    ) -> HttpAnswer | ServiceFault:
        """Call a method as the credential's bot. Makes no call with what can't be a token of Slack's."""
        token = _token(secret)
        if isinstance(token, ServiceFault):
            return token
        return await self.call_with_token(method, token, arguments, idempotent=idempotent)

    async def call_with_token(
        self, method: str, token: Secret, arguments: Mapping[str, str], *, idempotent: bool
    ) -> HttpAnswer | ServiceFault:
        malformed = malformed_token(SERVICE_NAME, token)
        if malformed is not None:
            return malformed
        return await self._post(method, f"Bearer {token.reveal()}", arguments, idempotent)

    async def call_as_client(
        self, method: str, client: OAuthClient, arguments: Mapping[str, str]
    ) -> HttpAnswer | ServiceFault:
        """Call a method as the operator's app. Never tried again: codes and refresh tokens are taken once."""
        pair = f"{client.client_id}:{client.client_secret.reveal()}"
        return await self._post(method, f"Basic {b64encode(pair.encode()).decode()}", arguments, False)

    async def _post(
        self, method: str, authorization: str, arguments: Mapping[str, str], idempotent: bool
    ) -> HttpAnswer | ServiceFault:
        answer = await self._http.request(
            "POST",
            f"{self._api_url}/{method}",
            headers={
                "Accept": "application/json",
                "Authorization": authorization,
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(arguments, errors="replace").encode(),
            idempotent=idempotent,
        )
        return transport_fault(SERVICE_ID, SERVICE_NAME, answer) if isinstance(answer, HttpFault) else answer


def _token(secret: CredentialSecret) -> Secret | ServiceFault:
    match secret:
        case TokenSecret():
            return secret.token
        case OAuthSecret():
            return secret.access_token
        case GitHubAppSecret():
            return ServiceFault(
                FaultKind.CREDENTIAL_REFUSED,
                "slack_wrong_kind",
                "An installation of a GitHub App opens nothing at Slack. Connect again with Slack or with a bot token.",
                Remedy.RECONNECT,
            )
