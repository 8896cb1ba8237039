"""Organization as clients see it: where every list of a team's begins. Documents answer all of its fields."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import HealthStatus
from domain.entities.user import Role
from gql.command_fields import command_selection, commands
from gql.types.audit import AuditFilter, AuditRecord
from gql.types.command_availability import CommandAvailability
from gql.types.command_run import CommandRun, CommandRunsFilter
from gql.types.command_selection import CommandSelection
from gql.types.credential import ServiceCredential
from gql.types.enums import OrderDirection, ServiceConnectionOrderField
from gql.types.event import ConnectionEvent, EventsFilter
from gql.types.pages import After, Before, Connection, First, Last, Node, answered_by_document
from gql.types.people import ApiKey, Invitation, Membership
from gql.types.repository import RepositoriesFilter, Repository
from gql.types.service import Service
from gql.types.service_connection import ServiceConnection, ServiceConnectionFilter, ServiceConnectionOrder
from persistence.documents.expiring import MOST_DAYS, SOON_DAYS


@strawberry.type(description="How many connections are in a status.")
class StatusCount:
    status: ConnectionStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many connections are in it.")


@strawberry.type(description="How many connections have a health.")
class HealthCount:
    health: HealthStatus = strawberry.field(description="The health.")
    count: int = strawberry.field(description="How many connections have it.")


@strawberry.type(description="How many connections go to a service.")
class ServiceCount:
    service: Service = strawberry.field(description="The service.")
    count: int = strawberry.field(description="How many connections go to it.")


@strawberry.type(description="Totals over an organization's connections.")
class ConnectionSummary:
    total: int = strawberry.field(description="All of them.")
    by_status: list[StatusCount] = strawberry.field(description="For each status, zeros included.")
    by_health: list[HealthCount] = strawberry.field(description="For each health, zeros included.")
    by_service: list[ServiceCount] = strawberry.field(description="For each service, zeros included.")
    expiring_credentials: int = strawberry.field(
        description="Those whose credential ends for good within 7 days: as many as `expiringCredentials` lists."
    )


@strawberry.type(description="A team or company, which owns connections.")
class Organization(Node):
    slug: str = strawberry.field(description="Its name in addresses, such as `acme`.")
    name: str = strawberry.field(description="Its name for people, such as `Acme Inc.`.")
    created_at: datetime = strawberry.field(description="When it was created.")
    check_interval_seconds: int = strawberry.field(
        description="How often its connections are checked while all is well, give or take a tenth."
    )
    version: int = strawberry.field(description="Grows with each change: see `expectedVersion` of updateOrganization.")
    viewer_role: Role = strawberry.field(description="What the viewer may do here.")
    connection_summary: ConnectionSummary = strawberry.field(description="Totals over its connections.")
    event_cursor: str = strawberry.field(
        description="The head of its event feed, in the same snapshot as the rest of this answer: query, then "
        "subscribe after it, and nothing is missed or seen twice."
    )

    commands: list[CommandAvailability] = strawberry.field(
        resolver=commands,
        description="What can be done through its connections by the viewer, and why not the rest: from what is "
        "stored, without a call to any service.",
    )
    command_selection: CommandSelection = strawberry.field(
        resolver=command_selection,
        description="Which command through which connection answers a wish. Nothing is run: see runCommand.",
    )

    @strawberry.field(description="Its connections.")
    def connections(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            ServiceConnectionFilter | None, strawberry.argument(description="Which connections; all by default.")
        ] = None,
        order_by: Annotated[
            ServiceConnectionOrder, strawberry.argument(description="In which order; latest created first by default.")
        ] = ServiceConnectionOrder(field=ServiceConnectionOrderField.CREATED_AT, direction=OrderDirection.DESC),  # noqa: B008 - a constant
    ) -> Connection[ServiceConnection]:
        answered_by_document()

    @strawberry.field(
        description="The credentials that end for good within so many days, soonest first; not those of connections "
        "that are EXPIRED or REVOKED already."
    )
    def expiring_credentials(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        within: Annotated[
            int, strawberry.argument(description=f"How many days to look ahead: 1 to {MOST_DAYS}.")
        ] = SOON_DAYS,
    ) -> Connection[ServiceCredential]:
        answered_by_document()

    @strawberry.field(description="The repositories that its connections reach, by name.")
    def repositories(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: RepositoriesFilter = None,
    ) -> Connection[Repository]:
        answered_by_document()

    @strawberry.field(description="Who belongs to it, longest membership first.")
    def members(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Membership]:
        answered_by_document()

    @strawberry.field(
        description="Who is invited, latest first, those included whose time is over; for those who may manage people: "
        "null for the others, who are told."
    )
    def invitations(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Invitation] | None:
        answered_by_document()

    @strawberry.field(
        description="The keys that it has issued, latest first: the viewer's own, and all of them for an admin."
    )
    def api_keys(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        usable: Annotated[
            bool | None,
            strawberry.argument(description="Only those that open something now (true), or that have ended (false)."),
        ] = None,
    ) -> Connection[ApiKey]:
        answered_by_document()

    @strawberry.field(description="What happened to its connections, latest first.")
    def events(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: EventsFilter = None,
    ) -> Connection[ConnectionEvent]:
        answered_by_document()

    @strawberry.field(description="The commands that were run through its connections, latest first.")
    def command_runs(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: CommandRunsFilter = None,
    ) -> Connection[CommandRun]:
        answered_by_document()

    @strawberry.field(
        description="What people and keys have done here, latest first. For its owners: to others it is null, with a "
        "FORBIDDEN error at this field."
    )
    def audit_log(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: AuditFilter = None,
    ) -> Connection[AuditRecord] | None:
        answered_by_document()


@strawberry.input(one_of=True, description="Which organization: by exactly one of these.")
class OrganizationBy:
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Its id, such as `org_0192f0c1-…`."
    )
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="Its slug, such as `acme`.")
