"""StandardService: what most services do alike. Settings that follow from the scopes, and capabilities that are absent.

A service derives from it and says only what is its own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.call_budget import CallAllowance
from domain.entities.health import Json
from domain.secret import Secret
from domain.services.authorization import Authorization
from domain.services.base import Revocation, ServiceScope
from domain.services.commands import Commands
from domain.services.form import Form, FormProblem
from domain.services.repository_listing import RepositoryListing
from domain.services.service_fault import ServiceFault
from domain.services.settings import EXPIRY_WARNING_DAYS, ScopeList, settings_form
from domain.services.webhooks import Webhooks


class StandardService:
    """Its settings are the scopes that a connection needs, where the service has any, and when to warn of the end."""

    name: str
    host: str = ""
    allowance = CallAllowance(per_hour=18_000, at_once=300)  # five a second: nobody has said less
    scopes: Sequence[ServiceScope] = ()
    required_scopes_description = "The scopes that this connection needs; it is shown as degraded while one is missing."
    authorization: Authorization | None = None
    repositories: RepositoryListing | None = None
    webhooks: Webhooks | None = None
    commands: Commands | None = None
    revocation_spreads = False

    @property
    def settings_schema(self) -> Mapping[str, Json]:
        return self._settings.schema()

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[FormProblem]:
        return self._settings.problems(settings)

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        return self._required_scopes.read(settings) if self.scopes else ()

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        covered = self.covered_by(granted)
        return tuple(scope for scope in required if scope not in covered)

    def covered_by(self, granted: Collection[str]) -> Collection[str]:
        """What these scopes allow; more than themselves where scopes contain each other."""
        return granted

    def revokes(self, secret: CredentialSecret) -> bool:
        return False

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        return Revocation.NOT_REVOCABLE

    @property
    def _required_scopes(self) -> ScopeList:
        return ScopeList("requiredScopes", self.required_scopes_description, self.name, self.scopes)

    @property
    def _settings(self) -> Form:
        scopes = (self._required_scopes,) if self.scopes else ()
        return settings_form(self.name, (*scopes, EXPIRY_WARNING_DAYS))


def bearer_of(secret: CredentialSecret) -> Secret:
    """What goes into the header `Authorization` of a service that has tokens only."""
    match secret:
        case TokenSecret():
            return secret.token
        case OAuthSecret():
            return secret.access_token
        case GitHubAppSecret():
            raise AssertionError("the manager takes credentials of the service's own methods only")
