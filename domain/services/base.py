"""What every service offers to the rest of Tether: the one interface that a folder below this one implements.

Called by HealthCheckFactory, ServiceConnectionManager and the catalogue. What a service answers is a value, never an
exception: `Identified` or `ServiceFault`. A service knows neither the database nor any other service.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.entities.health import Identity, Json, Remedy, ServiceRateLimit
from domain.secret import Secret


class AuthorizationMethod(StrEnum):
    """How a team can link a service."""

    OAUTH2 = "OAUTH2"
    GITHUB_APP = "GITHUB_APP"
    TOKEN = "TOKEN"  # noqa: S105 - the name of a method


@dataclass(frozen=True, slots=True)
class ServiceScope:
    """A permission as the service names it. `required`: connections need it unless their settings say otherwise."""

    name: str
    description: str
    required: bool = False


class FaultKind(StrEnum):
    """Why a service gave no usable answer; each kind has its own consequence for health and status."""

    UNREACHABLE = "UNREACHABLE"  # no connection, no answer in time, broken transfer, TLS
    NOT_ALLOWED = "NOT_ALLOWED"  # our own address guard refused to dial
    SERVICE_ERROR = "SERVICE_ERROR"  # 5xx, or an answer that isn't what the service documents
    RATE_LIMITED = "RATE_LIMITED"
    CREDENTIAL_REFUSED = "CREDENTIAL_REFUSED"  # expired, mistyped or replaced
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED"  # the service says that the grant was withdrawn
    SCOPE_MISSING = "SCOPE_MISSING"
    ADMIN_REQUIRED = "ADMIN_REQUIRED"  # single sign-on, suspension, a policy: an administrator's matter


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """A call that brought no answer to use. `code` is stable (`github_bad_credentials`); `evidence` holds no secret.

    `conclusive`: a refusal of the credential has no other cause that the service would name in the same way. One that
    isn't keeps a new credential out, but doesn't end a connection that has worked.
    """

    kind: FaultKind
    code: str
    message: str
    remedy: Remedy
    retry_after_seconds: int | None = None
    evidence: Mapping[str, Json] | None = None
    rate_limit: ServiceRateLimit | None = None
    latency_ms: int | None = None
    conclusive: bool = True


@dataclass(frozen=True, slots=True)
class Identified:
    """The service knows the credential: who it is, and what it said of the quota meanwhile."""

    identity: Identity
    rate_limit: ServiceRateLimit | None
    latency_ms: int


IdentityAnswer = Identified | ServiceFault


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing wrong with a connection's settings; `path` leads to it from the settings' root."""

    path: tuple[str, ...]
    message: str


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

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[SettingsProblem]:
        """What is wrong with these settings, looked for one by one; nothing where they can be used."""

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        """The scopes that a connection with these settings needs."""

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        """Those required that nothing granted covers (`repo` covers `public_repo`), in their order."""

    async def identify(self, token: Secret) -> IdentityAnswer:
        """Ask the service whose this token is. Makes one call; never raises for what the service does."""
