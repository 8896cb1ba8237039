"""VerifiedIdentity: who somebody is, as an identity provider says and Tether has verified; Invitation: who may join.

Made by whatever verifies tokens and sign-ins; taken by Recognition, which finds or makes the user.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.entities.user import Role


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """`issuer` and `subject` name a person for good; all else may change from one sign-in to the next.

    `email` only where the issuer says that it is verified. `organization` (a slug) and `role`: what the issuer's
    claims say of membership, where its settings name such claims. `issued_at`: since when it says so, if it tells.
    """

    issuer: str
    subject: str
    name: str | None = None
    email: str | None = None
    avatar_url: str | None = None
    organization: str | None = None
    role: Role | None = None
    issued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """That whoever signs in with this e-mail address before `expires_at` becomes a member."""

    id: UUID
    organization_id: UUID
    email: str
    role: Role
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime
