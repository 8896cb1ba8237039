"""May they? Asked by every write use case in its unit of work; reads carry the membership in their statement.

Who isn't a member gets the answer for an id that doesn't exist; a member whose role is too small learns which would do.
"""

from uuid import UUID

from domain.entities.user import LEAST_ROLE, Action, Role, Viewer
from domain.errors import Forbidden, NotFound
from domain.ports import UnitOfWork


async def authorize(unit: UnitOfWork, viewer: Viewer, organization_id: UUID, action: Action) -> Role:
    """The role that the viewer acts in there. Raises NotFound or Forbidden."""
    membership = await unit.memberships.role_of(viewer.user_id, organization_id)
    if membership is None:
        raise NotFound.organization()
    return _require(viewer.effective(membership), action)


async def authorize_connection(unit: UnitOfWork, viewer: Viewer, connection_id: UUID, action: Action) -> UUID:
    """The id of the organization that owns the connection. Raises NotFound or Forbidden."""
    organization_id = await unit.organizations.owning_connection(connection_id)
    if organization_id is None:
        raise NotFound.connection()
    membership = await unit.memberships.role_of(viewer.user_id, organization_id)
    if membership is None:
        raise NotFound.connection()
    _require(viewer.effective(membership), action)
    return organization_id


async def authorize_repository(unit: UnitOfWork, viewer: Viewer, repository_id: UUID, action: Action) -> UUID:
    """The id of the organization whose connection reaches the repository. Raises NotFound or Forbidden."""
    organization_id = await unit.organizations.owning_repository(repository_id)
    if organization_id is None:
        raise NotFound.repository()
    membership = await unit.memberships.role_of(viewer.user_id, organization_id)
    if membership is None:
        raise NotFound.repository()
    _require(viewer.effective(membership), action)
    return organization_id


def _require(role: Role, action: Action) -> Role:
    needed = LEAST_ROLE[action]
    if not role.covers(needed):
        raise Forbidden.for_role(needed, role)
    return role
