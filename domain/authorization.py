"""May they? Asked by every write use case in its unit of work; reads carry the membership in their statement.

Who isn't a member gets the answer for an id that doesn't exist; a member whose role is too small learns which would do.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.entities.event import Actor
from domain.entities.identity import Invitation
from domain.entities.user import LEAST_ROLE, Action, ApiKey, Role, Viewer
from domain.errors import Forbidden, NotFound
from domain.ports import UnitOfWork

_NOBODY: Final = UUID(int=0)
"""No organization: asked about where nothing is found, so that it takes as long as where that is foreign."""


async def role_in(unit: UnitOfWork, viewer: Viewer, organization_id: UUID) -> Role | None:
    """The role that the viewer acts in there; None where they aren't a member, or ask by a key of another place."""
    if not viewer.reaches(organization_id):
        return None
    membership = await unit.memberships.role_of(viewer.user_id, organization_id)
    return None if membership is None else viewer.effective(membership)


async def authorize(unit: UnitOfWork, viewer: Viewer, organization_id: UUID, action: Action) -> Role:
    """The role that the viewer acts in there. Raises NotFound or Forbidden."""
    role = await role_in(unit, viewer, organization_id)
    if role is None:
        raise NotFound.organization()
    return _require(role, action)


async def authorize_alone(unit: UnitOfWork, viewer: Viewer, organization_id: UUID, action: Action) -> Role:
    """The same, for what is about members themselves: until the unit ends, nobody else does anything of the kind."""
    await authorize(unit, viewer, organization_id, action)  # strangers hold nobody up
    await unit.organizations.get(organization_id)
    return await authorize(unit, viewer, organization_id, action)


async def authorize_connection(unit: UnitOfWork, viewer: Viewer, connection_id: UUID, action: Action) -> UUID:
    """The id of the organization that owns the connection. Raises NotFound or Forbidden."""
    organization_id, acting = await _owner(unit, viewer, connection_id)
    _require(acting, action)
    return organization_id


async def authorize_command(unit: UnitOfWork, viewer: Viewer, connection_id: UUID, least_role: Role) -> UUID:
    """The id of the organization that owns the connection. Raises NotFound, or Forbidden without the command's role."""
    organization_id, acting = await _owner(unit, viewer, connection_id)
    if not acting.covers(least_role):
        raise Forbidden.for_role(least_role, acting)
    return organization_id


async def may_still_run(unit: UnitOfWork, actor: Actor, connection_id: UUID, least_role: Role, now: datetime) -> bool:
    """Whether whoever asked for a command some time ago might ask for it now. In a unit for all organizations."""
    viewer = await _viewer_again(unit, actor, now)
    if viewer is None:
        return False
    try:
        await authorize_command(unit, viewer, connection_id, least_role)
    except (NotFound, Forbidden):
        return False
    return True


async def authorize_repository(unit: UnitOfWork, viewer: Viewer, repository_id: UUID, action: Action) -> UUID:
    """The id of the organization whose connection reaches the repository. Raises NotFound or Forbidden."""
    owner = await unit.organizations.owning_repository(repository_id, viewer.user_id)
    if owner is None or not viewer.reaches(owner[0]):
        raise NotFound.repository()
    organization_id, membership = owner
    _require(viewer.effective(membership), action)
    return organization_id


async def authorize_invitation(unit: UnitOfWork, viewer: Viewer, invitation_id: UUID) -> Invitation:
    """The invitation, for who may manage people. Raises NotFound: to the others there are no invitations."""
    invitation = await unit.invitations.find(invitation_id)
    role = await role_in(unit, viewer, _NOBODY if invitation is None else invitation.organization_id)
    if invitation is None or role is None or not _may(role, Action.MANAGE_PEOPLE):
        raise NotFound.invitation()
    return invitation


async def authorize_api_key(unit: UnitOfWork, viewer: Viewer, key_id: UUID) -> ApiKey:
    """The key, for who may revoke it. Raises NotFound, also for those who don't see it, or Forbidden."""
    found = await unit.api_keys.find(key_id)
    role = await role_in(unit, viewer, _NOBODY if found is None else found[0].organization_id)
    if found is None or role is None:
        raise NotFound.api_key()
    key, own = found[0], found[0].user_id == viewer.user_id
    if not own and not _may(role, Action.READ_ALL_KEYS):
        raise NotFound.api_key()
    _require(role, Action.MANAGE_OWN_KEYS if own else Action.MANAGE_ALL_KEYS)
    if own and not viewer.role_cap.covers(key.role):
        raise Forbidden(
            f"This key acts as {viewer.role_cap} and revokes none that is above it: that one is {key.role}."
        )
    return key


async def _owner(unit: UnitOfWork, viewer: Viewer, connection_id: UUID) -> tuple[UUID, Role]:
    """The organization that owns the connection, and the role that the viewer acts in there. Raises NotFound."""
    owner = await unit.organizations.owning_connection(connection_id, viewer.user_id)
    if owner is None or not viewer.reaches(owner[0]):
        raise NotFound.connection()
    organization_id, membership = owner
    return organization_id, viewer.effective(membership)


async def _viewer_again(unit: UnitOfWork, actor: Actor, now: datetime) -> Viewer | None:
    """Who an actor is now; None where it was a key that opens nothing any more."""
    if actor.api_key_id is None:
        return None if actor.user_id is None else Viewer(actor.user_id, actor.name, Role.OWNER)
    found = await unit.api_keys.find(actor.api_key_id)
    if found is None or not found[0].usable_at(now):
        return None
    key, user = found
    return Viewer(user.id, user.name, key.role, key.id, key.name, key.organization_id if key.confined else None)


def _may(role: Role, action: Action) -> bool:
    return role.covers(LEAST_ROLE[action])


def _require(role: Role, action: Action) -> Role:
    if not _may(role, action):
        raise Forbidden.for_role(LEAST_ROLE[action], role)
    return role
