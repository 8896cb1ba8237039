"""Query: where reads begin. Each resolver says which document to read; the executor reads it in one statement.

Used by `gql/schema.py`.
"""

from typing import Annotated
from uuid import UUID

import strawberry

from domain.entities.identifiers import Kind, parse_id, split_id
from domain.errors import BadUserInput
from gql.context import Info
from gql.execution import document
from gql.types.organization import Organization, OrganizationBy
from gql.types.pages import Node
from gql.types.people import Viewer
from gql.types.rate_limit import RateLimit, rate_limit
from gql.types.service import Service, service_of
from persistence.documents import roots


@strawberry.type(description="What can be read.")
class Query:
    @strawberry.field(description="An object by its id. Missing, malformed or another organization's: null, all alike.")
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The object's id, such as `conn_0192f0c1-…`.")],
    ) -> Node | None:
        found = _node_id(info, id)
        return document(None if found is None else roots.node(*found))

    @strawberry.field(description="Objects by their ids, in the same order, with null where `node` answers null.")
    def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 by default.")],
    ) -> list[Node | None]:
        most = info.context.limits.ids
        if len(ids) > most:
            raise BadUserInput(f"nodes takes at most {most} ids; these are {len(ids)}. Ask in several requests.")
        return document(roots.nodes([_node_id(info, id_) for id_ in ids]))

    @strawberry.field(description="Who is asking, and to which organizations they belong.")
    def viewer(self, info: Info) -> Viewer:
        return document(roots.viewer(info.context.viewer.api_key_id))

    @strawberry.field(description="An organization that the viewer belongs to. Missing or another's: null, both alike.")
    def organization(
        self, info: Info, by: Annotated[OrganizationBy, strawberry.argument(description="Its id or its slug.")]
    ) -> Organization | None:
        info.context.require_viewer()
        if by.slug:
            return document(roots.organization_by_slug(by.slug))
        organization_id = parse_id(Kind.ORGANIZATION, by.id or "")
        return document(None if organization_id is None else roots.organization_by_id(organization_id))

    @strawberry.field(description="The catalogue: what can be connected, and how.")
    def services(self, info: Info) -> list[Service]:
        info.context.require_viewer()
        context = info.context
        return [service_of(service, context.public_url, context.board) for service in context.catalogue]

    @strawberry.field(description="What the caller may still ask of this server. It costs nothing.")
    def rate_limit(self, info: Info) -> RateLimit:
        info.context.require_viewer()
        return rate_limit()


def _node_id(info: Info, text: str) -> tuple[Kind, UUID] | None:
    info.context.require_viewer()
    found = split_id(text)
    return found if found is not None and found[0] in roots.NODES else None
