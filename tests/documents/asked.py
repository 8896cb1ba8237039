"""Asked: who asks what world. The slow evaluator's context, from which its resolvers take their rows."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.entities.user import Viewer
from domain.services.catalogue import ServiceCatalogue
from tests.documents.data import World
from tests.documents.world_maker import ROLES, Row


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what world."""

    world: World
    catalogue: ServiceCatalogue
    viewer: Viewer

    def role(self, organization_id: UUID) -> str | None:
        """The role that the viewer is a member with; None where they are none, or ask by a key of another place."""
        if self.viewer.confined_to not in (None, organization_id):
            return None
        for row in self.world.table("memberships"):
            if row["organization_id"] == organization_id and row["user_id"] == self.viewer.user_id:
                return str(row["role"])
        return None

    def effective_role(self, organization_id: UUID) -> str:
        """The weaker one of the membership's role and the key's."""
        return max(self.role(organization_id) or "", self.viewer.role_cap.value, key=ROLES.index)

    def rows(self, table: str, **wanted: Any) -> list[Row]:
        """The rows of a table whose columns have these values."""
        return [row for row in self.world.table(table) if all(row[name] == value for name, value in wanted.items())]

    def one(self, table: str, **wanted: Any) -> Row | None:
        """The first of them."""
        found = self.rows(table, **wanted)
        return found[0] if found else None
