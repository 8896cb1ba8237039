"""GitHub as a service: what it is called, what it knows, and whose a credential is. Made by the composition root."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.call_budget import CallAllowance
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod
from domain.services.base import IdentityAnswer, Revocation
from domain.services.boundary import host_of, malformed_token
from domain.services.commands import Commands
from domain.services.github.answers import read_identity
from domain.services.github.api import SERVICE_ID, SERVICE_NAME, GitHubApi
from domain.services.github.app import AppTokens, GitHubApp
from domain.services.github.authorization import GitHubAuthorization
from domain.services.github.calls import GitHubCalls
from domain.services.github.commands import github_commands
from domain.services.github.events import account_key
from domain.services.github.grants import APP_USER_TOKEN_PREFIX
from domain.services.github.installation_tokens import InstallationTokens
from domain.services.github.installations import PERMISSION_LEVELS, read_installation
from domain.services.github.repositories import GitHubRepositories
from domain.services.github.scopes import SCOPES, covered_by
from domain.services.github.webhooks import GitHubWebhooks
from domain.services.oauth_client import OAuthClient
from domain.services.repository_listing import RepositoryListing
from domain.services.service_fault import ServiceFault
from domain.services.standard_service import StandardService

FRESH_TOKEN_DELAYS_SECONDS: Final = (1.0, 2.0, 4.0)


class GitHub(StandardService):
    """One GitHub. `api_url` is its REST API, `web_url` where people look: the operator's choice, not a tenant's.

    `client` and `app` are what the operator has registered there, the client being the app's own where there are both;
    `webhook_secrets` are several while the secret is changed.
    """

    allowance = CallAllowance(per_hour=5_000, at_once=500)  # the least of its limits, and 900 points a minute
    id = SERVICE_ID
    name = SERVICE_NAME
    documentation_url = (
        "https://docs.github.com/authentication/keeping-your-account-and-data-secure/"
        "managing-your-personal-access-tokens"
    )
    description = "Repositories, issues and pull requests on GitHub, through its OAuth, an app or a personal token."
    scopes = SCOPES
    authorization: GitHubAuthorization | None
    repositories: RepositoryListing
    commands: Commands
    required_scopes_description = (
        "The scopes that this connection needs; it is shown as degraded while one is missing. "
        "Fine-grained tokens and apps have permissions instead of scopes, so for them nothing is reported missing."
    )

    def __init__(
        self,
        http: HttpClient,
        api_url: str,
        web_url: str,
        clock: Callable[[], datetime],
        *,
        client: OAuthClient | None = None,
        app: GitHubApp | None = None,
        webhook_secrets: Sequence[Secret] = (),
        fresh_token_delays_seconds: Sequence[float] = FRESH_TOKEN_DELAYS_SECONDS,
    ) -> None:
        self.host = host_of(api_url)
        self._api = GitHubApi(http, api_url, web_url, clock)
        self._app_tokens = AppTokens(app, clock)
        self._installation_tokens = InstallationTokens(self._api, self._app_tokens)
        self._calls = GitHubCalls(self._api, self._installation_tokens, fresh_token_delays_seconds)
        self.commands = github_commands(self._api, self._calls)
        self.repositories = GitHubRepositories(self._api, self._calls)
        self.authorization = None if client is None else GitHubAuthorization(self._api, client, app)
        self.webhooks = GitHubWebhooks(webhook_secrets, self._api.web_url) if webhook_secrets else None

    @property
    def authorization_methods(self) -> Sequence[AuthorizationMethod]:
        """A team may always bring a token, or an app of its own with the app's key."""
        always = (AuthorizationMethod.GITHUB_APP, AuthorizationMethod.TOKEN)
        return always if self.authorization is None else (AuthorizationMethod.OAUTH2, *always)

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        """An installation has permissions (`contents:read`) instead: nothing compares them, so no scope is missing."""
        if any(name.rpartition(":")[2] in PERMISSION_LEVELS for name in granted):
            return ()
        return super().missing_scopes(required, granted)

    def covered_by(self, granted: Collection[str]) -> Collection[str]:
        return covered_by(granted)

    async def bearer(self, secret: CredentialSecret) -> Secret | ServiceFault:
        """The token with which calls for this credential are made: its own, or one of its installation."""
        return await self._calls.bearer(secret)

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        """`GET /user`, or `GET /app/installations/{id}`: the body says who, the headers say scopes, quota and end.

        An installation's scopes are its permissions, such as `contents:read`. Webhooks tell of installations, and of
        authorizations that a person withdraws; never of the tokens that people make themselves.
        """
        match secret:
            case GitHubAppSecret():
                return await self._identify_installation(secret)
            case TokenSecret(token=token):
                return await self._identify_user(token, is_grant=False)
            case OAuthSecret(access_token=token):
                return await self._identify_user(token, is_grant=True)

    def revokes(self, secret: CredentialSecret) -> bool:
        return self.authorization is not None and isinstance(secret, OAuthSecret)

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        """Only what our client was granted can be ended by us; an installation belongs to who has installed the app."""
        match secret:
            case OAuthSecret():
                if self.authorization is None:
                    return Revocation.NOT_REVOCABLE
                return await self.authorization.revoke(secret.access_token)
            case GitHubAppSecret():
                return await self._end_installation_token(secret)
            case TokenSecret():
                return Revocation.NOT_REVOCABLE

    async def _identify_user(self, token: Secret, *, is_grant: bool) -> IdentityAnswer:
        malformed = malformed_token(self.name, token)
        if malformed is not None:
            return malformed
        answer = await self._api.get("/user", token)
        if isinstance(answer, ServiceFault):
            return answer
        found = read_identity(answer, self._api.web_url, self._api.now())
        if isinstance(found, ServiceFault):
            return found
        identity = found.identity
        if token.reveal().startswith(APP_USER_TOKEN_PREFIX):
            identity = replace(identity, scopes=None)  # it has the app's permissions; the header is there, and empty
        if is_grant:
            identity = replace(identity, webhook_key=account_key(identity.account.id))
        return replace(found, identity=identity)

    async def _identify_installation(self, secret: GitHubAppSecret) -> IdentityAnswer:
        app_token = await self._app_tokens.token(secret)
        if isinstance(app_token, ServiceFault):
            return app_token
        answer = await self._api.get(f"/app/installations/{secret.installation_id}", app_token)
        if isinstance(answer, ServiceFault):
            return answer
        return read_installation(
            answer,
            self._api.web_url,
            self._api.now(),
            installation_id=secret.installation_id,
            operators=self._app_tokens.is_operators(secret),
        )

    async def _end_installation_token(self, secret: GitHubAppSecret) -> Revocation | ServiceFault:
        kept = self._installation_tokens.take(secret)
        if kept is not None:  # where ending it fails, it ends by itself within the hour
            await self._api.send("DELETE", "/installation/token", kept.token)
        return Revocation.NOT_REVOCABLE
