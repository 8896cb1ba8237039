"""Repository as clients see it. Documents answer all of its fields."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from gql.types.pages import Node
from gql.types.scalars import URL

if TYPE_CHECKING:
    from gql.types.service_connection import ServiceConnection

LazyServiceConnection = Annotated["ServiceConnection", strawberry.lazy("gql.types.service_connection")]


@strawberry.type(description="A repository that a connection reaches.")
class Repository(Node):
    connection: LazyServiceConnection = strawberry.field(description="The connection that reaches it.")
    external_id: str = strawberry.field(description="The service's own id, which stays when the name changes.")
    full_name: str = strawberry.field(description="Its name with its owner's, such as `acme/website`.")
    url: URL = strawberry.field(description="Its page at the service.")
    default_branch: str | None = strawberry.field(
        description="The branch that it opens with, such as `main`; null for an empty repository."
    )
    private: bool = strawberry.field(description="Whether only some may read it at the service.")
    archived: bool = strawberry.field(description="Whether it is closed for changes at the service.")
    selected: bool = strawberry.field(description="Whether the team has chosen it to be used.")
    synced_at: datetime = strawberry.field(description="When it was last compared with the service.")


@strawberry.input(description="Which repositories to list. What isn't given doesn't filter.")
class RepositoryFilter:
    search: str | None = strawberry.field(
        default=None, description="Those whose full name has this in it, upper and lower case alike."
    )
    selected: bool | None = strawberry.field(default=None, description="Those that are chosen, or not.")
    archived: bool | None = strawberry.field(default=None, description="Those that are archived, or not.")
    private: bool | None = strawberry.field(default=None, description="Those that are private, or not.")


RepositoriesFilter = Annotated[
    RepositoryFilter | None, strawberry.argument(description="Which repositories; all by default.")
]
"""The argument of every list of repositories."""
