"""GitLab as a service: what it is called, what it knows, and whose a credential is. Made by the composition root."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.entities.call_budget import CallAllowance
from domain.entities.health import Identity
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod
from domain.services.authorization_code import AuthorizationCode
from domain.services.base import Identified, IdentityAnswer, Revocation
from domain.services.boundary import host_of, malformed_token, transport_fault
from domain.services.commands import Commands
from domain.services.gitlab.answers import ID, NAME, of_credential, rate_limit, read_account, read_token_facts
from domain.services.gitlab.commands import gitlab_commands
from domain.services.gitlab.commands.rest import GitLabRest
from domain.services.gitlab.events import account_key
from domain.services.gitlab.repositories import GitLabProjects
from domain.services.gitlab.scopes import SCOPES, covered_by
from domain.services.gitlab.webhooks import GitLabWebhooks
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import ServiceFault
from domain.services.standard_service import StandardService, bearer_of
from domain.services.token_endpoint import ClientAuthentication, TokenEndpoint


class GitLab(StandardService):
    """One GitLab. `api_url` is its REST API, such as https://gitlab.com/api/v4, `web_url` where people look: the
    operator's choice, not a tenant's. Of webhook secrets there are two while one is being replaced.
    """

    allowance = CallAllowance(per_hour=36_000, at_once=600)  # a third of what GitLab.com takes from a person
    id = ID
    name = NAME
    description = "Projects, issues and merge requests on GitLab, through OAuth or a personal access token."
    documentation_url = "https://docs.gitlab.com/user/profile/personal_access_tokens/"
    scopes = SCOPES
    commands: Commands

    def __init__(
        self,
        http: HttpClient,
        api_url: str,
        web_url: str,
        clock: Callable[[], datetime],
        *,
        client: OAuthClient | None = None,
        webhook_secrets: Sequence[Secret] = (),
    ) -> None:
        self.host = host_of(api_url)
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._web_url = web_url.rstrip("/")
        self._clock = clock
        self.commands = gitlab_commands(GitLabRest(http, self._api_url, self._web_url, clock))
        self.repositories = GitLabProjects(http, self._api_url, clock)
        self.webhooks = GitLabWebhooks(webhook_secrets) if webhook_secrets else None
        self._endpoint = None if client is None else self._token_endpoint(client)
        if self._endpoint is not None:
            # GitLab doesn't send `iss` today; where it does, it is the address of its web.
            self.authorization = AuthorizationCode(f"{self._web_url}/oauth/authorize", self._endpoint, self._web_url)

    @property
    def authorization_methods(self) -> Sequence[AuthorizationMethod]:
        through_browser = () if self.authorization is None else self.authorization.methods
        return (*through_browser, AuthorizationMethod.TOKEN)

    def covered_by(self, granted: Collection[str]) -> Collection[str]:
        return covered_by(granted)

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        """`GET /user` says who; what the token may do and when it ends, GitLab says at an address for each kind."""
        token = bearer_of(secret)
        malformed = malformed_token(NAME, token)
        if malformed is not None:
            return malformed
        user = await self._get(f"{self._api_url}/user", token)
        if isinstance(user, HttpFault):
            return transport_fault(ID, NAME, user)
        account = read_account(user, self._web_url, self._clock())
        if isinstance(account, ServiceFault):
            return of_credential(account, secret)
        oauth = isinstance(secret, OAuthSecret)
        about = f"{self._web_url}/oauth/token/info" if oauth else f"{self._api_url}/personal_access_tokens/self"
        answer = await self._get(about, token)
        if isinstance(answer, HttpFault):
            return transport_fault(ID, NAME, answer)
        facts = read_token_facts(answer, self._clock())
        if isinstance(facts, ServiceFault):
            return of_credential(facts, secret)
        identity = Identity(account, facts.scopes, facts.expires_at, account_key(account.id))
        latency_ms = user.latency_ms + answer.latency_ms
        return Identified(identity, rate_limit(answer.headers) or rate_limit(user.headers), latency_ms)

    def revokes(self, secret: CredentialSecret) -> bool:
        return self._endpoint is not None and self._endpoint.revokes and isinstance(secret, OAuthSecret)

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        """Of an OAuth grant. A personal access token stays its person's, who may use it elsewhere."""
        if self._endpoint is None or not isinstance(secret, OAuthSecret):
            return Revocation.NOT_REVOCABLE
        return await self._endpoint.revoke(secret)

    async def _get(self, url: str, token: Secret) -> HttpAnswer | HttpFault:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
        return await self._http.get(url, headers=headers)

    def _token_endpoint(self, client: OAuthClient) -> TokenEndpoint:
        return TokenEndpoint(
            self._http,
            self._clock,
            service_id=ID,
            service_name=NAME,
            url=f"{self._web_url}/oauth/token",
            revocation_url=f"{self._web_url}/oauth/revoke",
            client=client,
            authentication=ClientAuthentication.POST,
        )
