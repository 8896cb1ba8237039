"""Slack as a service: what it is called, what it knows, whose a token is. Made by the composition root."""

from collections.abc import Callable, Sequence
from datetime import datetime

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.entities.call_budget import CallAllowance
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod
from domain.services.base import IdentityAnswer, Revocation
from domain.services.boundary import host_of
from domain.services.commands import Commands
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack.answers import SERVICE_ID, SERVICE_NAME, classify, read_identity
from domain.services.slack.authorization import SlackAuthorization
from domain.services.slack.channels import SlackChannels
from domain.services.slack.commands import slack_commands
from domain.services.slack.scopes import SCOPES
from domain.services.slack.web_api import WebApi
from domain.services.slack.webhooks import SlackWebhooks
from domain.services.standard_service import StandardService


class Slack(StandardService):
    """One Slack. `api_url` is its Web API, `web_url` where people look: the operator's choice, not a tenant's.

    It has no repositories: `channels` are their counterpart.
    """

    allowance = CallAllowance(per_hour=6_000, at_once=100)  # auth.test may be called some hundred times a minute
    id = SERVICE_ID
    name = SERVICE_NAME
    documentation_url = "https://docs.slack.dev/authentication/tokens/"
    description = "Messages and channels of a Slack workspace, through a bot token."
    scopes = SCOPES
    commands: Commands
    revocation_spreads = True  # Slack deactivates the bot of the workspace with its token

    def __init__(
        self,
        http: HttpClient,
        api_url: str,
        web_url: str,
        clock: Callable[[], datetime],
        *,
        client: OAuthClient | None = None,
        signing_secrets: Sequence[Secret] = (),
    ) -> None:
        self.host = host_of(api_url)
        self._api = WebApi(http, api_url)
        self._web_url = web_url.rstrip("/")
        self._clock = clock
        self.authorization = None if client is None else SlackAuthorization(self._api, self._web_url, client, clock)
        self.webhooks = SlackWebhooks(signing_secrets, self._web_url) if signing_secrets else None
        self.channels = SlackChannels(self._api, self._web_url, clock)
        self.commands = slack_commands(self._api, self._web_url, clock, self.channels)

    @property
    def authorization_methods(self) -> Sequence[AuthorizationMethod]:
        own = () if self.authorization is None else self.authorization.methods
        return (*own, AuthorizationMethod.TOKEN)

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        """`POST auth.test`, which needs no scope: the body says who, a header says the scopes.

        Events are of what our own app was granted: what it sees of a workspace isn't for those who bring a token of
        another app, which may see less. So only a grant has a webhook key.
        """
        answer = await self._api.call("auth.test", secret, {}, idempotent=True)
        if isinstance(answer, ServiceFault):
            return answer
        is_grant = isinstance(secret, OAuthSecret)
        return read_identity(answer, self._web_url, self._clock(), is_grant=is_grant)

    def revokes(self, secret: CredentialSecret) -> bool:
        return isinstance(secret, OAuthSecret)

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        """`POST auth.revoke` for what Slack gave to our app. A token made by hand is its maker's to end."""
        if not isinstance(secret, OAuthSecret):
            return Revocation.NOT_REVOCABLE
        for token in (secret.access_token, secret.refresh_token):
            fault = None if token is None else await self._revoked(token)
            if fault is not None:
                return fault
        return Revocation.REVOKED

    async def _revoked(self, token: Secret) -> ServiceFault | None:
        """None where Slack has ended the token, or no longer takes it anyway."""
        answer = await self._api.call_with_token("auth.revoke", token, {}, idempotent=True)
        fault = answer if isinstance(answer, ServiceFault) else classify(answer, self._clock())
        gone = fault is not None and fault.kind in {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}
        return None if gone else fault
