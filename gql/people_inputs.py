"""What the mutations of people and keys take. Used by `gql/people_mutations.py`."""

from datetime import datetime

import strawberry

from domain.entities.user import Role
from gql.inputs import IDEMPOTENCY_KEY


@strawberry.input(description="A person to invite.")
class AddMemberInput:
    organization_id: strawberry.ID = strawberry.field(description="The organization to invite them to.")
    email: str = strawberry.field(description="Their e-mail address, with which they sign in.")
    role: Role = strawberry.field(description="What they will be.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="An invitation to withdraw.")
class RemoveInvitationInput:
    invitation_id: strawberry.ID = strawberry.field(description="The invitation's id.")


@strawberry.input(description="A member's new role.")
class UpdateMemberInput:
    organization_id: strawberry.ID = strawberry.field(description="The organization in which to change it.")
    user_id: strawberry.ID = strawberry.field(description="Whose: a member's `user`.")
    role: Role = strawberry.field(description="What they are from now on.")


@strawberry.input(description="A membership to end.")
class RemoveMemberInput:
    organization_id: strawberry.ID = strawberry.field(description="The organization that they are a member of.")
    user_id: strawberry.ID = strawberry.field(
        description="Whose: another member's `user`, or the viewer's own to leave."
    )


@strawberry.input(description="A key to make for the viewer's person.")
class CreateApiKeyInput:
    organization_id: strawberry.ID = strawberry.field(description="The one organization in which it will act.")
    name: str = strawberry.field(description="What it is for, such as `deploy bot`.")
    role: Role = strawberry.field(
        description="The most that it may do: at most what the viewer is in the organization now."
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="When it ends by itself. By default never, or together with the key that it is made with.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Any text of the caller's, such as a UUID. The same call again with the same text makes no second "
        "key: it gives the first one, without its token, which nobody knows any more.",
    )


@strawberry.input(description="A key to revoke.")
class RevokeApiKeyInput:
    api_key_id: strawberry.ID = strawberry.field(description="The key's id.")
