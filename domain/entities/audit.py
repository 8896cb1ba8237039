"""AuditRecord: who has done what in an organization, when and from where. Kept beside the change, in its unit of work.

Written by whoever changes people, keys and organizations, or signs somebody in; read by the organization's owners.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.entities.event import Actor
from domain.entities.health import Json
from domain.entities.identifiers import new_id
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
