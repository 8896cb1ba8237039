"""AuditRecord as clients see it: an organization's audit log, for its owners. Documents answer all of its fields."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.entities.audit import AuditAction
from gql.types.event import Actor
from gql.types.pages import Node
from gql.types.scalars import JSON


@strawberry.type(
    description="That somebody has done something in an organization. It is kept with the change itself: what was "
    "refused, or has changed nothing, leaves none."
)
class AuditRecord(Node):
    occurred_at: datetime = strawberry.field(description="When it was done.")
    action: AuditAction = strawberry.field(description="What was done.")
    actor: Actor = strawberry.field(description="Who or what did it.")
    address: str | None = strawberry.field(
        description="From which address it was asked for, as the server saw it; null for what no request asked for."
    )
    request_id: str | None = strawberry.field(
        description="The request, as its answer's `X-Request-Id`, errors and the server's log call it."
    )
    subject_id: strawberry.ID | None = strawberry.field(
        description="The id of what it was done to, such as `conn_0192f0c1-…`, which may be gone by now."
    )
    subject_name: str | None = strawberry.field(description="What that was called then.")
    data: JSON = strawberry.field(description="What else is to be told of this action: see `AuditAction`. No secrets.")


@strawberry.input(description="Which records to list. What isn't given doesn't filter.")
class AuditLogFilter:
    actions: list[AuditAction] | None = strawberry.field(default=None, description="Those of these actions.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="What this person did, themselves or by their API keys."
    )
    api_key_id: strawberry.ID | None = strawberry.field(default=None, description="What was done by this API key.")
    subject_id: strawberry.ID | None = strawberry.field(default=None, description="What was done to this.")
    since: datetime | None = strawberry.field(default=None, description="What was done at that moment or later.")
    until: datetime | None = strawberry.field(default=None, description="What was done before that moment.")


AuditFilter = Annotated[AuditLogFilter | None, strawberry.argument(description="Which records; all by default.")]
"""The argument of the audit log."""
