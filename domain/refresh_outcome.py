"""What comes of refreshing a credential: values for CredentialRefresher and those who ask it."""

from dataclasses import dataclass, field
from datetime import datetime

from domain.credential_secrets import CredentialSecret
from domain.request_origin import RequestOrigin
from domain.services.service_fault import ServiceFault


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The connection's credential is newer than the one that was seen, by whomever it was refreshed.

    `asked_from`: the request on whose behalf it just was; None where that was done before, or by another process.
    """

    generation: int
    secret: CredentialSecret = field(repr=False)
    asked_from: RequestOrigin | None = None


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """Why it isn't. `ended`: only reconnecting helps, as the connection says; else it can be tried at `not_before`."""

    fault: ServiceFault
    ended: bool = False
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotRefreshable:
    """There is no refresh token to do it with."""


RefreshOutcome = Refreshed | RefreshFailed | NotRefreshable
