"""Tenant: the organization that a unit of work is bound to, through which its tenant repositories reach the database.

Made by the unit of work; each repository of a tenant's rows adds `organization_id` to every statement.
"""

from dataclasses import dataclass
from uuid import UUID

from persistence.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organization in one transaction."""

    transaction: Transaction
    organization_id: UUID

    def own(self, organization_id: UUID) -> UUID:
        """The id of the organization that an entity is to be kept for. Raises RuntimeError if it isn't this one."""
        if organization_id != self.organization_id:
            raise RuntimeError("this unit of work is bound to another organization than the entity's")
        return organization_id
