"""People, their part in an organization, and who is asking: User, Membership, ApiKey, Viewer.

Made by UserService; `Viewer` travels with every operation and answers the one question "may they?".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a member may do; each role includes those below it, which stand in this order."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"

    @property
    def rank(self) -> int:
        """0 for OWNER up to 3 for VIEWER: a smaller rank may do more."""
        return _RANKS[self]

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        return self.rank <= needed.rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Action(StrEnum):
    """What can be asked of an organization. The one table of who may what is `LEAST_ROLE`."""

    READ = "READ"
    CHECK_HEALTH = "CHECK_HEALTH"
    MANAGE_CONNECTIONS = "MANAGE_CONNECTIONS"
    MANAGE_ORGANIZATION = "MANAGE_ORGANIZATION"
    LEAVE = "LEAVE"
    MANAGE_PEOPLE = "MANAGE_PEOPLE"
    READ_AUDIT_LOG = "READ_AUDIT_LOG"
    MANAGE_OWN_KEYS = "MANAGE_OWN_KEYS"
    READ_ALL_KEYS = "READ_ALL_KEYS"
    MANAGE_ALL_KEYS = "MANAGE_ALL_KEYS"


LEAST_ROLE: dict[Action, Role] = {
    Action.READ: Role.VIEWER,
    Action.CHECK_HEALTH: Role.MEMBER,
    Action.MANAGE_CONNECTIONS: Role.ADMIN,
    Action.MANAGE_ORGANIZATION: Role.ADMIN,
    Action.LEAVE: Role.VIEWER,
    Action.MANAGE_PEOPLE: Role.OWNER,
    Action.READ_AUDIT_LOG: Role.OWNER,
    Action.MANAGE_OWN_KEYS: Role.VIEWER,
    Action.READ_ALL_KEYS: Role.ADMIN,
    Action.MANAGE_ALL_KEYS: Role.OWNER,
}


@dataclass(slots=True)
class User:
    """A person, known by an e-mail address until an identity provider knows them better."""

    id: UUID
    name: str
    email: str | None
    avatar_url: str | None
    created_at: datetime


@dataclass(slots=True)
class Membership:
    """That a user belongs to an organization, and as what."""

    organization_id: UUID
    user_id: UUID
    role: Role
    joined_at: datetime


@dataclass(slots=True)
class ApiKey:
    """A key that acts as its user, never above its own role; a `confined` one only where it was issued.

    Only the SHA-256 of its secret is kept. It is listed by the organization that issued it.
    """

    id: UUID
    organization_id: UUID
    user_id: UUID
    name: str
    role: Role
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    confined: bool = False
    made_by: UUID | None = None
    """The key with which it was made: whoever revokes that one revokes this one."""

    def usable_at(self, now: datetime) -> bool:
        """Whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: a user, through a key that caps what they may do. Memberships are read where they are needed.

    `confined_to`: the one organization that the key may act in; None where it may in all that the user belongs to.
    """

    user_id: UUID
    user_name: str
    role_cap: Role
    api_key_id: UUID | None = None
    api_key_name: str | None = None
    confined_to: UUID | None = None

    def reaches(self, organization_id: UUID) -> bool:
        """Whether this viewer may be anybody there at all: a confined key is nobody elsewhere."""
        return self.confined_to is None or self.confined_to == organization_id

    def effective(self, membership: Role) -> Role:
        """The role that this viewer acts in where they are a member with `membership`."""
        return membership if self.role_cap.covers(membership) else self.role_cap
