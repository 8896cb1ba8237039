"""An organization always has an owner: whoever changes or ends memberships asks here first, in the same unit of work.

Called by UserService's use cases of members and by Recognition.
"""

from uuid import UUID

from domain.ports import UnitOfWork


async def is_last_owner(unit: UnitOfWork, organization_id: UUID, user_id: UUID) -> bool:
    """Whether nobody else owns it. Nobody else can change that before the unit ends: the organization is locked."""
    await unit.organizations.get(organization_id)
    return await unit.memberships.owners(organization_id) == [user_id]
