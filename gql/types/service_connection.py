"""ServiceConnection as clients see it, with its filter and order. Documents answer all of its fields."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import HealthStatus
from gql.types.command_run import CommandRun
from gql.types.credential import ServiceCredential
from gql.types.enums import OrderDirection, ServiceConnectionOrderField
from gql.types.event import ConnectionEvent, EventsFilter, StatusReason
from gql.types.health import ConnectionHealth
from gql.types.pages import After, Before, Connection, First, Last, Node, answered_by_document
from gql.types.people import User
from gql.types.repository import RepositoriesFilter, Repository
from gql.types.scalars import JSON, URL
from gql.types.service import Service
from persistence.documents.impact import IMPACT_DAYS, MOST_COUNTED

if TYPE_CHECKING:
    from gql.types.organization import Organization

LazyOrganization = Annotated["Organization", strawberry.lazy("gql.types.organization")]


@strawberry.type(description="Who a connection is at its service.")
class ExternalAccount:
    id: str = strawberry.field(description="The service's own id, which stays when the name changes.")
    name: str = strawberry.field(description="Its name there, such as `acme-bot`.")
    url: URL | None = strawberry.field(description="Its page at the service.")
    avatar_url: URL | None = strawberry.field(description="Its picture.")


@strawberry.type(description="The service's quota for a connection, as the service last told.")
class ServiceRateLimit:
    limit: int | None = strawberry.field(description="How many calls a window allows.")
    remaining: int | None = strawberry.field(description="How many are left in this one.")
    reset_at: datetime | None = strawberry.field(description="When the next window begins.")
    blocked_until: datetime | None = strawberry.field(description="The service told us to keep away until then.")


@strawberry.type(description="What stops working without a connection, because it is paused or deleted.")
class ConnectionImpact:
    repositories: int = strawberry.field(description="Repositories that it reaches; deleting it forgets them.")
    selected_repositories: int = strawberry.field(description="Those of them that the team has selected.")
    has_alternative: bool = strawberry.field(
        description="Whether another ACTIVE connection of the organization is to the same service. What that one "
        "reaches and may do is its own."
    )
    commands: int = strawberry.field(
        description="Commands that can be run through nothing else: those of its service, or 0 with an alternative."
    )
    command_runs: int = strawberry.field(
        description=f"Commands that were run through it in the last {IMPACT_DAYS} days, counted up to {MOST_COUNTED:,}."
    )
    webhooks_received: int = strawberry.field(
        description=f"What the service has reported about it in the last {IMPACT_DAYS} days, counted up to "
        f"{MOST_COUNTED:,}."
    )


@strawberry.type(description="A team's link to one account at one outside service.")
class ServiceConnection(Node):
    organization: LazyOrganization = strawberry.field(description="Whose it is.")
    service: Service = strawberry.field(description="What it is connected to.")
    name: str = strawberry.field(description="What the team calls it. No two of an organization are alike.")
    status: ConnectionStatus = strawberry.field(description="Where it is in its life.")
    status_reason: StatusReason | None = strawberry.field(
        description="Why it has this status; null where nothing was said."
    )
    status_changed_at: datetime = strawberry.field(description="Since when it has this status.")
    available_statuses: list[ConnectionStatus] = strawberry.field(description="What this viewer may set now.")
    external_account: ExternalAccount | None = strawberry.field(description="Who it is at the service.")
    health: ConnectionHealth = strawberry.field(description="How it is.")
    credential: ServiceCredential | None = strawberry.field(
        description="What is known of its credential; null once the connection is deleted."
    )
    granted_scopes: list[str] = strawberry.field(description="What it may do, as the service told.")
    required_scopes: list[str] = strawberry.field(description="What it needs, by the service or its settings.")
    missing_scopes: list[str] = strawberry.field(description="What it needs and may not.")
    rate_limit: ServiceRateLimit | None = strawberry.field(description="Its quota; null where the service told none.")
    impact: ConnectionImpact = strawberry.field(description="What stops working without it.")
    labels: JSON = strawberry.field(description='The team\'s own marks, such as {"team": "platform"}.')
    settings: JSON = strawberry.field(description="Its settings: see `Service.settingsSchema`.")
    version: int = strawberry.field(
        description="Grows with each change of status and by people, for `expectedVersion`; health checks leave it."
    )
    created_by: User | None = strawberry.field(description="Who created it.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it was changed last, by people, checks or the service.")

    @strawberry.field(description="The repositories that it reaches, by name.")
    def repositories(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: RepositoriesFilter = None,
    ) -> Connection[Repository]:
        answered_by_document()

    @strawberry.field(description="What happened to it, latest first.")
    def events(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: EventsFilter = None,
    ) -> Connection[ConnectionEvent]:
        answered_by_document()

    @strawberry.field(description="The commands that were run through it, latest first.")
    def command_runs(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[CommandRun]:
        answered_by_document()


@strawberry.input(description="Which connections to list. What isn't given doesn't filter.")
class ServiceConnectionFilter:
    service: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Those to these services, such as `[github]`."
    )
    status: list[ConnectionStatus] | None = strawberry.field(default=None, description="Those in these statuses.")
    health: list[HealthStatus] | None = strawberry.field(default=None, description="Those of this health.")
    search: str | None = strawberry.field(
        default=None, description="Those whose name has this in it, upper and lower case alike."
    )
    labels: JSON | None = strawberry.field(
        default=None, description='Those with all of these labels, such as {"team": "platform"}.'
    )
    expiring_before: datetime | None = strawberry.field(
        default=None, description="Those whose credential ends for good (`endsAt`) before then."
    )


@strawberry.input(description="How to order a list of connections.")
class ServiceConnectionOrder:
    field: ServiceConnectionOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(description="Upwards or downwards.")
