"""What the mutations of people and keys give: what was changed, read as a document after the commit.

Used by `gql/people_mutations.py`.
"""

from uuid import UUID

import strawberry

from domain.entities.identifiers import Kind
from gql.execution import document
from gql.payloads import OrganizationPayload
from gql.types.people import ApiKey, Invitation, Membership
from persistence.documents import roots


@strawberry.type
class MembershipPayload(OrganizationPayload):
    """A payload with somebody's membership."""

    user_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The membership as it is now; null if there is none.")
    def membership(self) -> Membership | None:
        if self.organization_id is None or self.user_id is None:
            return None
        return document(roots.membership(self.organization_id, self.user_id))


@strawberry.type(
    description="The outcome of addMember. There is no `membership` until the invitation is claimed, whoever the "
    "address may belong to; the same call again, with its idempotency key, tells when it is."
)
class AddMemberPayload(MembershipPayload):
    invitation_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The invitation as it is now; null if nothing was done, or if it is claimed.")
    def invitation(self) -> Invitation | None:
        return document(None if self.invitation_id is None else roots.node(Kind.INVITATION, self.invitation_id))


@strawberry.type(description="The outcome of removeInvitation.")
class RemoveInvitationPayload(OrganizationPayload):
    removed_invitation_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the invitation that is gone; null if none is."
    )


@strawberry.type(description="The outcome of updateMember.")
class UpdateMemberPayload(MembershipPayload):
    pass


@strawberry.type(description="The outcome of removeMember.")
class RemoveMemberPayload(OrganizationPayload):
    removed_user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the person who is no member any more; null if nothing was done."
    )


@strawberry.type
class ApiKeyPayload(OrganizationPayload):
    """A payload with the key that was changed."""

    api_key_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="The key as it is now; null if nothing was done.")
    def api_key(self) -> ApiKey | None:
        return document(None if self.api_key_id is None else roots.node(Kind.API_KEY, self.api_key_id))


@strawberry.type(description="The outcome of createApiKey.")
class CreateApiKeyPayload(ApiKeyPayload):
    token: str | None = strawberry.field(
        default=None,
        description="What a program sends as `Authorization: Bearer …`. It is told this once and kept nowhere: null if "
        "nothing was done, or if the same call made the key before.",
    )


@strawberry.type(description="The outcome of revokeApiKey.")
class RevokeApiKeyPayload(ApiKeyPayload):
    pass
