"""The slow evaluator: what a query's answer is by plain graphql-core, with resolvers over rows in Python.

The tests hold the document read path against it. It shares no code with `persistence/documents`: what it knows is
restated from the descriptions in the schema. Its cursors are the real ones without their first part, the list's tag.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLScalarType, GraphQLSchema, build_schema, execute
from graphql.pyutils import is_awaitable

from domain.entities.user import Viewer
from domain.services.catalogue import ServiceCatalogue
from tests.documents.data import EVENTS, HEALTH, NOW, ROLES, STATUSES, Row, World

assert EVENTS  # the enum's values are the schema's own


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what world."""

    world: World
    catalogue: ServiceCatalogue
    viewer: Viewer

    def role(self, organization_id: UUID) -> str | None:
        """The viewer's membership; None where there is none."""
        for row in self.world.table("memberships"):
            if row["organization_id"] == organization_id and row["user_id"] == self.viewer.user_id:
                return str(row["role"])
        return None
