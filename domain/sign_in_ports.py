"""What the domain needs of whatever keeps sessions and sign-ins: rows of no tenant, since people belong to several.

Properties of UnitOfWork in `domain/ports.py`, which says what the verbs mean; implemented in `persistence/`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.entities.session import Session, SignInFlow
from domain.entities.user import User


class SessionRepository(Protocol):
    """Sessions, by the hash of their secret."""

    async def find(self, secret_hash: bytes) -> tuple[Session, User] | None:
        """The session and whose it is."""

    async def add(self, session: Session) -> None: ...

    async def mark_seen(self, session_id: UUID, at: datetime) -> None: ...

    async def take(self, secret_hash: bytes) -> Session | None:
        """Remove it: it is given to one caller."""

    async def take_all_of(self, user_id: UUID) -> Sequence[Session]:
        """Remove all of a user's."""

    async def forget(self, *, expired: datetime, unused_since: datetime, limit: int) -> int:
        """Remove those that had expired by then, or haven't been used since; how many it were."""


class SignInFlowRepository(Protocol):
    """Browsers that are on their way to an identity provider and back."""

    async def add(self, flow: SignInFlow) -> None: ...

    async def take(self, state_hash: bytes, browser_hash: bytes) -> SignInFlow | None:
        """Remove the flow of this state and this browser: it is given to one caller. None for any other pair."""

    async def forget(self, expired: datetime, limit: int) -> int:
        """Remove those that had expired by then; how many it were."""
