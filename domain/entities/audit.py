"""AuditRecord: who has done what in an organization, when and from where. Kept beside the change, in its unit of work.

Written by whoever changes people, keys and organizations, or signs somebody in, and for each event of a connection that
a person or a key has caused; read by the organization's owners.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.entities.event import ANSWERABLE, Actor, ConnectionEvent, ConnectionEventType, EventDraft
from domain.entities.health import Json
from domain.entities.identifiers import Kind, new_id, typed_id
from domain.entities.identity import Invitation
from domain.entities.organization import Organization
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import ApiKey, User, Viewer
from domain.request_origin import RequestOrigin, request_origin


class AuditAction(StrEnum):
    """What was done."""

    SIGNED_IN = "SIGNED_IN"
    SIGNED_OUT = "SIGNED_OUT"
    ORGANIZATION_CREATED = "ORGANIZATION_CREATED"
    ORGANIZATION_UPDATED = "ORGANIZATION_UPDATED"
    MEMBER_INVITED = "MEMBER_INVITED"
    INVITATION_WITHDRAWN = "INVITATION_WITHDRAWN"
    MEMBER_JOINED = "MEMBER_JOINED"
    MEMBER_UPDATED = "MEMBER_UPDATED"
    MEMBER_REMOVED = "MEMBER_REMOVED"
    API_KEY_CREATED = "API_KEY_CREATED"
    API_KEY_REVOKED = "API_KEY_REVOKED"
    AUTHORIZATION_BEGUN = "AUTHORIZATION_BEGUN"
    CONNECTION_CREATED = "CONNECTION_CREATED"
    CONNECTION_UPDATED = "CONNECTION_UPDATED"
    CONNECTION_AUTHORIZED = "CONNECTION_AUTHORIZED"
    CONNECTION_STATUS_CHANGED = "CONNECTION_STATUS_CHANGED"
    CONNECTION_HEALTH_CHANGED = "CONNECTION_HEALTH_CHANGED"
    CONNECTION_HEALTH_CHECKED = "CONNECTION_HEALTH_CHECKED"
    CONNECTION_CREDENTIALS_ROTATED = "CONNECTION_CREDENTIALS_ROTATED"
    CONNECTION_REPOSITORIES_SYNCED = "CONNECTION_REPOSITORIES_SYNCED"
    CONNECTION_COMMAND_RUN = "CONNECTION_COMMAND_RUN"
    CONNECTION_DELETED = "CONNECTION_DELETED"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`subject_id` is the typed id of what it was done to, `subject_name` what that was called then.

    `data` says what changed, as far as it can be told: never a secret.
    """

    organization_id: UUID
    action: AuditAction
    actor: Actor
    occurred_at: datetime
    subject_id: str | None = None
    subject_name: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id)
    origin: RequestOrigin = field(default_factory=request_origin)

    @classmethod
    def of_organization(
        cls, actor: Actor, organization: Organization, action: AuditAction, now: datetime, data: Mapping[str, Json]
    ) -> "AuditRecord":
        """What was done to the organization itself."""
        subject_id = typed_id(Kind.ORGANIZATION, organization.id)
        return cls(organization.id, action, actor, now, subject_id, organization.name, data)

    @classmethod
    def of_connection(
        cls, viewer: Viewer, connection: ServiceConnection, action: AuditAction, now: datetime, **data: Json
    ) -> "AuditRecord":
        """What a viewer did to a connection, where no event tells of it."""
        subject_id = typed_id(Kind.CONNECTION, connection.id)
        return cls(connection.organization_id, action, Actor.of(viewer), now, subject_id, connection.name, data)

    @classmethod
    def of_person(
        cls, actor: Actor, organization_id: UUID, user: User, action: AuditAction, now: datetime, **data: Json
    ) -> "AuditRecord":
        """What was done to a person's membership, or by a person who signs in or out."""
        return cls(organization_id, action, actor, now, typed_id(Kind.USER, user.id), user.name, data)

    @classmethod
    def of_api_key(cls, actor: Actor, key: ApiKey, action: AuditAction, now: datetime, **data: Json) -> "AuditRecord":
        """What was done to a key, whosever it is."""
        told = {"role": key.role.value, "user": typed_id(Kind.USER, key.user_id), **data}
        key_id = typed_id(Kind.API_KEY, key.id)
        return cls(key.organization_id, action, actor, now, key_id, key.name, told)

    @classmethod
    def of_invitation(
        cls, viewer: Viewer, invitation: Invitation, action: AuditAction, now: datetime, **data: Json
    ) -> "AuditRecord":
        """What a viewer did to an invitation."""
        told = {"role": invitation.role.value, **data}
        invitation_id = typed_id(Kind.INVITATION, invitation.id)
        return cls(invitation.organization_id, action, Actor.of(viewer), now, invitation_id, invitation.email, told)

    @classmethod
    def of_event(cls, event: ConnectionEvent) -> "AuditRecord | None":
        """What an event says of a person or key; None for what Tether or a service did. Names no connection yet."""
        draft = event.draft
        if event.actor.kind not in ANSWERABLE:
            return None
        return cls(
            draft.organization_id,
            ACTION_OF_EVENT[draft.type],
            event.actor,
            draft.occurred_at,
            typed_id(Kind.CONNECTION, draft.connection_id),
            data={**draft.data, **_change(draft), "eventId": typed_id(Kind.EVENT, event.id)},
            origin=event.origin,
        )


ACTION_OF_EVENT: Final = {
    ConnectionEventType.CREATED: AuditAction.CONNECTION_CREATED,
    ConnectionEventType.UPDATED: AuditAction.CONNECTION_UPDATED,
    ConnectionEventType.AUTHORIZED: AuditAction.CONNECTION_AUTHORIZED,
    ConnectionEventType.STATUS_CHANGED: AuditAction.CONNECTION_STATUS_CHANGED,
    ConnectionEventType.HEALTH_CHANGED: AuditAction.CONNECTION_HEALTH_CHANGED,
    ConnectionEventType.HEALTH_CHECKED: AuditAction.CONNECTION_HEALTH_CHECKED,
    ConnectionEventType.CREDENTIALS_ROTATED: AuditAction.CONNECTION_CREDENTIALS_ROTATED,
    ConnectionEventType.REPOSITORIES_SYNCED: AuditAction.CONNECTION_REPOSITORIES_SYNCED,
    ConnectionEventType.COMMAND_RUN: AuditAction.CONNECTION_COMMAND_RUN,
    ConnectionEventType.DELETED: AuditAction.CONNECTION_DELETED,
}
"""The events that people and keys cause. The others are Tether's own, or a service's."""


def _change(draft: EventDraft) -> dict[str, Json]:
    """What an event tells besides its data."""
    told: dict[str, Json] = {}
    if (change := draft.status_change) is not None:
        reason = None if change.reason is None else change.reason.code
        told |= {"from": change.previous, "to": change.current, "reason": reason}
    if draft.health_check_id is not None:
        told["healthCheckId"] = typed_id(Kind.HEALTH_CHECK, draft.health_check_id)
    return told
