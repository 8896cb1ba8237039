"""The mutations of people and keys, each handed to a use case of the same verb. A part of `gql/mutations.py`."""

from typing import Annotated

import strawberry

from gql import arguments, people_inputs, people_payloads
from gql.context import Info
from gql.outcomes import outcome

AddMember = Annotated[people_inputs.AddMemberInput, strawberry.argument(description="Whom to invite.")]
UpdateMember = Annotated[people_inputs.UpdateMemberInput, strawberry.argument(description="What to change.")]
RemoveMember = Annotated[people_inputs.RemoveMemberInput, strawberry.argument(description="Whose membership to end.")]
RemoveInvitation = Annotated[people_inputs.RemoveInvitationInput, strawberry.argument(description="What to withdraw.")]
CreateApiKey = Annotated[people_inputs.CreateApiKeyInput, strawberry.argument(description="What to make.")]
RevokeApiKey = Annotated[people_inputs.RevokeApiKeyInput, strawberry.argument(description="What to end.")]


@strawberry.type
class PeopleMutation:
    """Who belongs to an organization, as what, and by which keys."""

    @strawberry.mutation(
        description="Invite a person by their e-mail address, for seven days. They become a member when they sign in "
        "with it. Inviting them again gives the invitation the new role and begins its time anew. Tether sends no mail."
    )
    async def add_member(self, info: Info, input: AddMember) -> people_payloads.AddMemberPayload:
        async def added() -> people_payloads.AddMemberPayload:
            viewer, organization_id = info.context.viewer, arguments.organization_id(input.organization_id)
            invited = await info.context.users.invitations.add_member(
                viewer,
                organization_id,
                input.email,
                input.role,
                idempotency_key=input.idempotency_key,
            )
            return people_payloads.AddMemberPayload(
                organization_id=organization_id, invitation_id=invited.invitation_id, user_id=invited.member_id
            )

        return await outcome(people_payloads.AddMemberPayload, added())

    @strawberry.mutation(description="Withdraw an invitation. Nobody can claim it any more.")
    async def remove_invitation(self, info: Info, input: RemoveInvitation) -> people_payloads.RemoveInvitationPayload:
        async def removed() -> people_payloads.RemoveInvitationPayload:
            organization_id = await info.context.users.invitations.remove_invitation(
                info.context.viewer, arguments.invitation_id(input.invitation_id)
            )
            return people_payloads.RemoveInvitationPayload(
                organization_id=organization_id, removed_invitation_id=input.invitation_id
            )

        return await outcome(people_payloads.RemoveInvitationPayload, removed())

    @strawberry.mutation(description="Give a member another role. The last owner stays one.")
    async def update_member(self, info: Info, input: UpdateMember) -> people_payloads.UpdateMemberPayload:
        async def updated() -> people_payloads.UpdateMemberPayload:
            viewer, organization_id = info.context.viewer, arguments.organization_id(input.organization_id)
            user_id = arguments.user_id(input.user_id)
            await info.context.users.members.update_member(viewer, organization_id, user_id, input.role)
            return people_payloads.UpdateMemberPayload(organization_id=organization_id, user_id=user_id)

        return await outcome(people_payloads.UpdateMemberPayload, updated())

    @strawberry.mutation(
        description="End somebody's membership, or leave: every member may, but the last owner. The keys that the "
        "organization has issued to them are revoked."
    )
    async def remove_member(self, info: Info, input: RemoveMember) -> people_payloads.RemoveMemberPayload:
        async def removed() -> people_payloads.RemoveMemberPayload:
            viewer, organization_id = info.context.viewer, arguments.organization_id(input.organization_id)
            user_id = arguments.user_id(input.user_id)
            await info.context.users.members.remove_member(viewer, organization_id, user_id)
            return people_payloads.RemoveMemberPayload(organization_id=organization_id, removed_user_id=input.user_id)

        return await outcome(people_payloads.RemoveMemberPayload, removed())

    @strawberry.mutation(
        description="Make a key that acts as the viewer's person in one organization. Its token is shown this once."
    )
    async def create_api_key(self, info: Info, input: CreateApiKey) -> people_payloads.CreateApiKeyPayload:
        async def created() -> people_payloads.CreateApiKeyPayload:
            viewer, organization_id = info.context.viewer, arguments.organization_id(input.organization_id)
            issued = await info.context.users.api_keys.create_api_key(
                viewer,
                organization_id,
                input.name,
                input.role,
                expires_at=input.expires_at,
                idempotency_key=input.idempotency_key,
            )
            token = None if issued.token is None else issued.token.reveal()
            return people_payloads.CreateApiKeyPayload(
                organization_id=organization_id, api_key_id=issued.id, token=token
            )

        return await outcome(people_payloads.CreateApiKeyPayload, created())

    @strawberry.mutation(
        description="End a key for good: one's own, or as an owner anyone's. Within 5 seconds it opens nothing any "
        "more, and its open sockets are closed."
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKey) -> people_payloads.RevokeApiKeyPayload:
        async def revoked() -> people_payloads.RevokeApiKeyPayload:
            viewer, api_key_id = info.context.viewer, arguments.api_key_id(input.api_key_id)
            organization_id = await info.context.users.api_keys.revoke_api_key(viewer, api_key_id)
            return people_payloads.RevokeApiKeyPayload(organization_id=organization_id, api_key_id=api_key_id)

        return await outcome(people_payloads.RevokeApiKeyPayload, revoked())
