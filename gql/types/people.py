"""People and keys: Viewer, User, Membership, Invitation, ApiKey. Documents answer all of their fields."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.user import Role
from gql.types.pages import After, Before, Connection, First, Last, Node, answered_by_document
from gql.types.scalars import URL

if TYPE_CHECKING:
    from gql.types.organization import Organization

LazyOrganization = Annotated["Organization", strawberry.lazy("gql.types.organization")]


@strawberry.type(description="A person.")
class User(Node):
    name: str = strawberry.field(description="Their name, such as `Ada Lovelace`.")
    email: str | None = strawberry.field(description="Their e-mail address, where it is known.")
    avatar_url: URL | None = strawberry.field(description="A picture of them.")
    created_at: datetime = strawberry.field(description="When Tether first heard of them.")


@strawberry.type(description="That a person belongs to an organization, and as what.")
class Membership:
    organization: LazyOrganization = strawberry.field(description="The organization.")
    user: User = strawberry.field(description="The person.")
    role: Role = strawberry.field(description="What they may do.")
    joined_at: datetime = strawberry.field(description="When they joined.")


@strawberry.type(
    description="That whoever signs in with an e-mail address becomes a member. Seen by those who may manage people."
)
class Invitation(Node):
    email: str = strawberry.field(description="The address, which the person's identity provider has to have verified.")
    role: Role = strawberry.field(description="What they will be.")
    invited_by: User | None = strawberry.field(description="Who has invited them last.")
    created_at: datetime = strawberry.field(description="When they were first invited.")
    expires_at: datetime = strawberry.field(description="Until when they can claim it.")


@strawberry.type(
    description="A key with which a program acts as a person, never above the key's own role. Members see their own, "
    "admins all of their organization's; who acted by one is told to everybody who may see what was done."
)
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for, such as `deploy bot`.")
    hint: str = strawberry.field(description="How its token begins, such as `tether_0192f0c14b7a`.")
    role: Role = strawberry.field(description="The most that it may do, whatever its person may.")
    confined: bool = strawberry.field(
        description="Whether it acts only in the organization that issued it, as those of createApiKey do; else it "
        "acts wherever its person belongs."
    )
    user: User = strawberry.field(description="The person as whom it acts.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself; null: never.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended, if it was.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")


@strawberry.type(description="Who is asking.")
class Viewer:
    user: User | None = strawberry.field(description="The person who asks, or for whom a key asks.")
    api_key: ApiKey | None = strawberry.field(description="The key that was used, if one was.")

    @strawberry.field(description="The organizations that the viewer belongs to, longest membership first.")
    def memberships(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Membership]:
        answered_by_document()
