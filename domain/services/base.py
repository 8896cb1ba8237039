"""What every service offers to the rest of Tether: the one interface that a folder below this one implements.

Called by HealthCheckFactory, ServiceConnectionManager, the OAuth flow, repository syncs, webhooks, commands and the
catalogue.
What a service answers is a value, never an exception: what was asked for, or a `ServiceFault`. A service knows neither
the database nor any other service.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.credential_secrets import CredentialSecret
from domain.entities.call_budget import CallAllowance
from domain.entities.health import Identity, Json, ServiceRateLimit
from domain.services.authorization import Authorization, AuthorizationMethod
from domain.services.commands import Commands
from domain.services.form import FormProblem
from domain.services.repository_listing import RepositoryListing
from domain.services.service_fault import ServiceFault
from domain.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class ServiceScope:
    """A permission as the service names it. `required`: connections need it unless their settings say otherwise."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """The service knows the credential: who it is, and what it said of the quota meanwhile."""

    identity: Identity
    rate_limit: ServiceRateLimit | None
    latency_ms: int


IdentityAnswer = Identified | ServiceFault


class Revocation(StrEnum):
    """What came of asking a service to forget a credential."""

    REVOKED = "REVOKED"
    NOT_REVOCABLE = "NOT_REVOCABLE"  # only the one who made it can: a personal access token, a key of an app


class Service(Protocol):
    """A service that can be connected: described for the catalogue, and asked about credentials."""

    @property
    def id(self) -> str:
        """What clients and rows call it, such as `github`."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def documentation_url(self) -> str: ...

    @property
    def authorization_methods(self) -> Sequence[AuthorizationMethod]: ...

    @property
    def scopes(self) -> Sequence[ServiceScope]: ...

    @property
    def settings_schema(self) -> Mapping[str, Json]:
        """The JSON Schema of a connection's settings."""

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[FormProblem]:
        """What is wrong with these settings, looked for one by one; nothing where they can be used."""

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        """The scopes that a connection with these settings needs."""

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        """Those required that nothing granted covers (`repo` covers `public_repo`), in their order."""

    @property
    def host(self) -> str:
        """Whom calls go to: services of the same id on another host are another operator's choice."""

    @property
    def allowance(self) -> CallAllowance:
        """How many calls it takes for one account."""

    @property
    def authorization(self) -> Authorization | None:
        """How a browser links it; None where the operator has registered no client there."""

    @property
    def repositories(self) -> RepositoryListing | None:
        """How the repositories that a credential reaches are listed; None for a service without any."""

    @property
    def webhooks(self) -> Webhooks | None:
        """How its webhooks are verified and read; None where it sends none, or the operator has set no secret."""

    @property
    def commands(self) -> Commands | None:
        """What can be done there through a connection; None for a service that Tether only watches."""

    @property
    def revocation_spreads(self) -> bool:
        """Whether revoking one credential does harm to other connections of the same webhook key."""

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        """Ask the service whose this credential is. Never raises for what the service does."""

    def revokes(self, secret: CredentialSecret) -> bool:
        """Whether `revoke` would have the service forget this credential, rather than find it NOT_REVOCABLE."""

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        """Have the service forget the credential. One that it no longer knows is REVOKED."""
