"""What the domain needs of whatever keeps organizations, people, their keys and answered calls: no tenant's rows.

Properties of UnitOfWork in `domain/ports.py`, which says what the verbs mean; implemented in `persistence/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.entities.audit import AuditRecord
from domain.entities.identity import Invitation
from domain.entities.organization import Organization
from domain.entities.user import ApiKey, Membership, Role, User


class OrganizationRepository(Protocol):
    """All organizations."""

    async def find(self, organization_id: UUID) -> Organization | None: ...

    async def find_by_slug(self, slug: str) -> Organization | None: ...

    async def get(self, organization_id: UUID) -> Organization:
        """Holds it against other writers in a unit that writes. Raises NotFound."""

    async def save(self, organization: Organization) -> None:
        """Store it with a version of one more. Raises VersionConflict if it isn't as it was read."""

    async def owning_connection(self, connection_id: UUID, user_id: UUID) -> tuple[UUID, Role] | None:
        """The organization that a connection belongs to, and the user's role in it.

        None where the user has none, as for a deleted one: by one statement, so that neither takes longer.
        """

    async def owning_repository(self, repository_id: UUID, user_id: UUID) -> tuple[UUID, Role] | None:
        """The same of a repository; None where its connection is deleted, too."""

    async def credential_held(self, service: str, fingerprint: str, *, besides: UUID | None = None) -> bool:
        """Whether a connection of any organization, `besides` this one, lives by the credential of this fingerprint."""

    async def connections_reached(self, service: str, webhook_keys: Sequence[str]) -> Sequence[tuple[UUID, UUID]]:
        """Whom a webhook is about: (organization, connection) of the living ones with one of these keys."""

    async def any(self) -> bool:
        """Whether there is one at all."""

    async def add(self, organization: Organization) -> None:
        """Also starts its feed. Raises NameTaken, field ("input", "slug")."""

    async def find_or_add(self, organization: Organization) -> Organization:
        """The one with this slug, which is this one if there was none, also where several add it at once."""


class UserRepository(Protocol):
    """All people. In a unit that writes, whoever is found is locked against other writers until it ends."""

    async def find(self, user_id: UUID) -> User | None: ...

    async def find_by_email(self, email: str) -> User | None:
        """Upper and lower case alike."""

    async def add(self, user: User) -> None: ...

    async def find_or_add(self, user: User) -> User:
        """The one with this e-mail address, which is this one if there was none, also where several add it at once."""

    async def save(self, user: User) -> None:
        """Keep name, address and picture. Raises NameTaken where the address is another user's."""


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """The user that an identity provider means, and about when it last said so."""

    user: User
    seen_at: datetime
    told_at: datetime | None = None
    """Since when the issuer says what was last taken from it of memberships."""


class IdentityRepository(Protocol):
    """Who users are at identity providers."""

    async def find(self, issuer: str, subject: str) -> KnownIdentity | None: ...

    async def add(self, issuer: str, subject: str, user_id: UUID, at: datetime) -> bool:
        """False if the issuer's subject is a user already, also by another call at this time."""

    async def mark_seen(self, issuer: str, subject: str, at: datetime) -> None: ...

    async def mark_told(self, issuer: str, subject: str, told_at: datetime) -> bool:
        """Note since when the issuer says what it says of memberships; False where a later word of it is known."""

    async def has_any(self, user_id: UUID) -> bool:
        """Whether any identity provider knows them."""


class InvitationRepository(Protocol):
    """Invitations to organizations, by e-mail address in any case."""

    async def exist_for(self, email: str, now: datetime) -> bool:
        """Whether there are any that are still good."""

    async def inviting(self, email: str, now: datetime) -> Sequence[UUID]:
        """The organizations whose invitations of this address are still good."""

    async def take_all_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        """Remove those that are still good: each is given to one caller."""

    async def find(self, invitation_id: UUID) -> Invitation | None: ...

    async def put(self, invitation: Invitation) -> Invitation:
        """Add it; where its organization has invited the address before, that one gets its role, inviter and end."""

    async def remove(self, organization_id: UUID, invitation_id: UUID) -> bool:
        """False if it is gone already."""

    async def take_for(self, organization_id: UUID, email: str) -> Invitation | None:
        """Remove the organization's invitation of this address, if there is one."""

    async def forget(self, expired_before: datetime, limit: int) -> int:
        """Remove old ones; how many it were."""


class AuditRepository(Protocol):
    """What people and keys have done. What they did to connections is added with the events of that."""

    async def add(self, record: AuditRecord) -> None: ...

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove the oldest records of before that; how many it were."""


class MembershipRepository(Protocol):
    """Who belongs where, and as what."""

    async def role_of(self, user_id: UUID, organization_id: UUID) -> Role | None: ...

    async def add(self, membership: Membership) -> bool:
        """False if they are a member already, and stay what they are."""

    async def find(self, organization_id: UUID, user_id: UUID) -> tuple[Membership, User] | None:
        """The membership and whose it is. Locks neither."""

    async def find_by_email(self, organization_id: UUID, email: str) -> tuple[Membership, User] | None:
        """The same, upper and lower case alike."""

    async def raise_role(self, membership: Membership) -> bool:
        """Make the member what `membership` says; False if they are that or more, also by another call at this time."""

    async def change_role(self, membership: Membership) -> bool:
        """Make the member what `membership` says; False if they are that already, or no member."""

    async def remove(self, organization_id: UUID, user_id: UUID) -> None:
        """The user belongs there no longer."""

    async def organizations_of(self, user_id: UUID) -> Sequence[UUID]:
        """Where they are a member."""

    async def owners(self, organization_id: UUID) -> Sequence[UUID]:
        """The users who own it."""


class ApiKeyRepository(Protocol):
    """API keys, by the id that their token carries."""

    async def find(self, key_id: UUID) -> tuple[ApiKey, User] | None:
        """The key and the user it acts as."""

    async def find_named(self, organization_id: UUID, user_id: UUID, name: str) -> ApiKey | None:
        """The newest key of that name which the organization issued to the user."""

    async def add(self, key: ApiKey) -> None: ...

    async def save(self, key: ApiKey) -> None: ...

    async def mark_used(self, key_id: UUID, at: datetime) -> None: ...

    async def maker(self, key_id: UUID) -> ApiKey | None:
        """A key with which another is made, of whatever organization. Nobody revokes it before the unit ends."""

    async def revoke(self, key_id: UUID, at: datetime) -> Sequence[ApiKey]:
        """End it and all that were made with it, and with those; the ones that hadn't been revoked before.

        Only in a unit that is meant for all organizations.
        """

    async def revoke_all_of(self, organization_id: UUID, user_id: UUID, at: datetime) -> Sequence[ApiKey]:
        """End the user's keys that the organization issued; those that hadn't ended before."""


class IdempotencyKeyRepository(Protocol):
    """Which creating calls have been answered, so that a repeated one isn't done twice."""

    async def find(self, user_id: UUID, operation: str, key: str) -> tuple[bytes, UUID] | None:
        """The hash of the first call's input, and the id of what it created."""

    async def add(
        self,
        *,
        user_id: UUID,
        operation: str,
        key: str,
        organization_id: UUID,
        input_hash: bytes,
        result_id: UUID,
        now: datetime,
    ) -> bool:
        """False if another call has taken the key meanwhile; waits for it to end where it is still running."""

    async def forget(self, created_before: datetime, limit: int) -> int:
        """Remove old ones; how many it were."""
