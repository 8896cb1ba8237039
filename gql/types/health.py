"""Health as clients see it: ConnectionHealth, HealthCheck and HealthProbe. Documents answer all of their fields."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.entities.health import HealthCheckTrigger, HealthStatus, ProbeOutcome, Remedy
from gql.types.pages import After, Before, Connection, First, Last, Node, answered_by_document
from gql.types.scalars import JSON
from gql.types.service import ServiceIncident
from persistence.documents.series_buckets import MOST_POINTS, SeriesBucket


@strawberry.type(description="One question that a check asks, and its answer.")
class HealthProbe:
    name: str = strawberry.field(description="What was asked, such as `authenticates` or `scopes_suffice`.")
    outcome: ProbeOutcome = strawberry.field(description="What was found.")
    code: str = strawberry.field(description="A stable name of the finding, such as `github_bad_credentials`.")
    message: str = strawberry.field(description="The finding, for a person.")
    remedy: Remedy = strawberry.field(description="What to do about it.")
    latency_ms: int | None = strawberry.field(description="How long the service took, where it was asked.")
    evidence: JSON | None = strawberry.field(description='What the finding rests on, such as {"missing": ["repo"]}.')


@strawberry.type(description="One run of a service's probes on a connection.")
class HealthCheck(Node):
    status: HealthStatus = strawberry.field(description="What it found.")
    message: str | None = strawberry.field(description="What is wrong, for a person; null where all is well.")
    started_at: datetime = strawberry.field(description="When it began.")
    latency_ms: int = strawberry.field(description="How long it took.")
    trigger: HealthCheckTrigger = strawberry.field(description="Why it ran.")
    probes: list[HealthProbe] = strawberry.field(description="Its findings, in the order in which they were made.")


@strawberry.type(
    description="How long checks took: so many percent of them no longer than this. At most a tenth off, since days "
    "keep counts of rounded latencies; what took more than a minute counts as a minute."
)
class LatencyPercentiles:
    p50_ms: int = strawberry.field(description="Half of them.")
    p95_ms: int = strawberry.field(description="95 percent.")
    p99_ms: int = strawberry.field(description="99 percent.")


@strawberry.type(description="How a connection was in one hour, day or week, in UTC.")
class HealthSeriesPoint:
    start: datetime = strawberry.field(description="When it began; weeks begin on Monday.")
    uptime: float | None = strawberry.field(
        description="The share of the time in which it wasn't UNHEALTHY; null where nothing was known."
    )
    checks: int = strawberry.field(description="How many checks began in it.")
    failures: int = strawberry.field(description="How many of them found it UNHEALTHY.")
    latency: LatencyPercentiles | None = strawberry.field(
        description="How long they took; null where no call was made."
    )


Since = Annotated[datetime, strawberry.argument(description="From when on, such as a week ago.")]


@strawberry.type(description="How a connection is, as the latest check saw it, and how it has been.")
class ConnectionHealth:
    status: HealthStatus = strawberry.field(description="How it is.")
    message: str | None = strawberry.field(description="What is wrong, for a person; null where all is well.")
    checked_at: datetime | None = strawberry.field(description="When it was last checked; null: never.")
    next_check_at: datetime | None = strawberry.field(description="When the next check is due; null: none is.")
    latency_ms: int | None = strawberry.field(description="How long the latest check took.")
    consecutive_failures: int = strawberry.field(description="How many checks in a row have failed.")
    probes: list[HealthProbe] = strawberry.field(
        description="The latest findings, in the order in which they were made."
    )

    incident: ServiceIncident | None = strawberry.field(
        description="Set while the service itself is down: the rest is as it was before, and no check is made."
    )

    @strawberry.field(description="The checks that were made and are still kept, latest first.")
    def checks(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        since: Annotated[datetime | None, strawberry.argument(description="Only checks from then on.")] = None,
    ) -> Connection[HealthCheck]:
        answered_by_document()

    @strawberry.field(
        description="The share of the time, 0 to 1, in which the connection wasn't UNHEALTHY; each check speaks for "
        "the time until the next. Null where nothing was checked. Of days whose checks are forgotten their totals "
        "are kept, for 400 days: where `since` lies within such a day, its totals count in proportion."
    )
    def uptime(self, since: Since) -> float | None:
        answered_by_document()

    @strawberry.field(
        description="How long its checks took; null where none made a call. Where `since` lies within a day whose "
        "checks have been forgotten, all of that day's count."
    )
    def latency(self, since: Since) -> LatencyPercentiles | None:
        answered_by_document()

    @strawberry.field(
        description="How it has been, for a chart: a point for each day, week or hour, without gaps, the latest last. "
        f"At most {MOST_POINTS[SeriesBucket.DAY]} points; of hours {MOST_POINTS[SeriesBucket.HOUR]}, from the checks "
        "that are still kept."
    )
    def series(
        self,
        since: Annotated[
            datetime, strawberry.argument(description="The first point is the whole day, week or hour of this moment.")
        ],
        bucket: Annotated[SeriesBucket, strawberry.argument(description="How long each point is.")] = SeriesBucket.DAY,
    ) -> list[HealthSeriesPoint]:
        answered_by_document()
