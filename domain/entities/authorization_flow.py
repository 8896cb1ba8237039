"""AuthorizationFlow: somebody's way to a service and back, from authorizeConnection to completeAuthorization.

Kept by AuthorizationFlows. Of everything that proves something, only a hash or a sealed text is kept.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.entities.health import Json
from domain.entities.user import Viewer


class FlowStage(StrEnum):
    """How far it has come. Each step is taken once."""

    BEGUN = "BEGUN"  # waits for the browser at /oauth/start
    STARTED = "STARTED"  # the browser is at the service
    RETURNED = "RETURNED"  # it came back; the code is being exchanged
    EXCHANGED = "EXCHANGED"  # the credential waits, sealed, for whoever began


@dataclass(slots=True)
class AuthorizationFlow:
    """One flow. `connection_id`: the connection that it reconnects; None for a new one.

    `sealed_verifier` and `sealed_grant` open for this organization and this flow's id only. The grant's fingerprint and
    webhook key (None: unknown) tell without opening it whether another revocation would end it.
    """

    id: UUID
    organization_id: UUID
    user_id: UUID
    api_key_id: UUID | None
    service: str
    method: str
    connection_id: UUID | None
    name: str | None
    labels: dict[str, str]
    settings: dict[str, Json]
    scopes: tuple[str, ...]
    return_to: str | None
    popup: bool
    allow_account_change: bool
    stage: FlowStage
    start_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    state_hash: bytes | None = field(default=None, repr=False)
    cookie_hash: bytes | None = field(default=None, repr=False)
    code_hash: bytes | None = field(default=None, repr=False)
    sealed_verifier: str | None = field(default=None, repr=False)
    sealed_grant: str | None = field(default=None, repr=False)
    grant_fingerprint: str | None = None
    grant_webhook_key: str | None = None

    def was_begun_by(self, viewer: Viewer) -> bool:
        """Whether it is this very user with this very key."""
        return (viewer.user_id, viewer.api_key_id) == (self.user_id, self.api_key_id)
