"""What the domain needs of whatever keeps work that is under way: flows, tasks and deliveries of all organizations.

Properties of UnitOfWork in `domain/ports.py`, which says what the verbs mean; implemented in `persistence/`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from domain.entities.call_budget import Block, BudgetKey, CallAllowance
from domain.entities.due_check import DueCheck, UnchangedCheck
from domain.entities.health import HealthStatus
from domain.entities.health_day import HealthDay
from domain.entities.operation_budget import OperationAllowance, OperationBlock
from domain.entities.service_incident import ServiceIncident
from domain.entities.task import Task, TaskKind
from domain.entities.webhook_delivery import WebhookDelivery
from domain.health_days import CheckFound


class AuthorizationFlowRepository(Protocol):
    """Flows of all organizations, each found by the hash of what somebody shows."""

    async def add(self, flow: AuthorizationFlow) -> None: ...

    async def find(
        self, *, start_hash: bytes | None = None, state_hash: bytes | None = None, code_hash: bytes | None = None
    ) -> AuthorizationFlow | None:
        """The flow with the one hash that is given, expired ones included."""

    async def advance(self, flow: AuthorizationFlow, *, from_stage: FlowStage) -> bool:
        """Store it if it is still at that stage: of two that take the same step, one gets False."""

    async def remove(self, flow_id: UUID) -> bool:
        """False if it was gone already."""

    async def grant_waits(self, service: str, fingerprint: str, webhook_key: str | None) -> bool:
        """Whether a flow holds the grant with this fingerprint or, where one is given, with this webhook key.

        A grant whose key isn't known may have any.
        """

    async def expired(self, now: datetime, limit: int) -> Sequence[AuthorizationFlow]:
        """Those that have ended without being completed."""


class TaskRepository(Protocol):
    """Work of all organizations."""

    async def put(self, task: Task) -> None:
        """Add it, or have the one that there is of this kind for the subject due at the earlier moment of the two.

        That one takes this payload unless it is empty. If it is running just now, it is due once more after that.
        """

    async def put_at(self, task: Task) -> None:
        """Add it, or make the one that there is due at this very moment, with this payload and no failed attempts.

        If that one is running just now, it is due at this moment after that.
        """

    async def claim(
        self,
        now: datetime,
        until: datetime,
        limit: int,
        kinds: Sequence[TaskKind],
        *,
        furthest: datetime | None = None,
    ) -> Sequence[Task]:
        """Lease due tasks, the longest due first. Those that others have just locked are left to them.

        `furthest`: what waits for a moment after that, waits by the mistake of a clock that was ahead, and is due.
        Claiming counts as an attempt, so that a task that kills its process is seen to have been tried.
        """

    async def extend(self, task: Task, until: datetime) -> bool:
        """Keep it longer. False if it is no longer this lease's."""

    async def finish(self, task: Task) -> bool:
        """It is done, unless it was put again meanwhile: then it is due. False if it is no longer this lease's."""

    async def repeat(self, task: Task, due_at: datetime, *, attempts: int) -> bool:
        """Have it done again at that moment, or earlier if it was put for earlier meanwhile; its payload stays.

        False if it is no longer this lease's.
        """

    async def find(self, kind: TaskKind, subject_id: UUID) -> Task | None: ...

    async def remove(self, subject_id: UUID) -> None:
        """All kinds of it for a subject."""


class DueCheckRepository(Protocol):
    """When connections of all organizations are checked, and by whom just now."""

    async def next_due(self, services: Sequence[str]) -> datetime | None:
        """When the first one of these services is due; it may be past. Leased ones count as well."""

    async def claim(
        self, service: str, now: datetime, until: datetime, limit: int, *, due_by: datetime | None = None
    ) -> Sequence[DueCheck]:
        """Lease those of a service that are due, the longest due first; those that others have are left to them.

        `due_by`: those that are due by then; now, where it isn't given.
        """

    async def take(
        self, organization_id: UUID, connection_id: UUID, lease: UUID, now: datetime, until: datetime
    ) -> bool:
        """Lease this one, due or not. False if somebody else has it."""

    async def is_leased(self, organization_id: UUID, connection_id: UUID, now: datetime) -> bool:
        """Whether somebody is checking it."""

    async def holds(self, due: DueCheck) -> bool:
        """Whether it is still this lease's. Nobody else can change that before the unit ends."""

    async def note_unchanged(self, checks: Sequence[UnchangedCheck]) -> int:
        """Keep what was found and when the next checks are, of those that are still their lease's: how many it were."""

    async def put_off(self, postponed: Sequence[tuple[DueCheck, datetime]]) -> None:
        """Give them back, each to be checked at that moment, where they are still their lease's."""

    async def release(self, organization_id: UUID, connection_id: UUID, lease: UUID) -> None:
        """Give one back as it is, if this lease still has it."""

    async def spread(self, service: str, now: datetime, *, at: Callable[[], datetime], limit: int) -> int:
        """Have those of a service that are due checked at such moments instead; how many it were, `limit` at most."""

    async def bring_within(
        self, organization_id: UUID, now: datetime, latest: datetime, *, at: Callable[[], datetime], limit: int
    ) -> int:
        """Have those of an organization that are due later than `latest` checked at such moments.

        Except those that their services keep away by now. How many it were, `limit` at most.
        """

    async def bring_forward(
        self,
        now: datetime,
        *,
        checked_after: datetime,
        due_after: datetime,
        at: Callable[[], datetime],
        limit: int,
    ) -> int:
        """Have those checked at such moments that were checked, or are due, after ones that are to come.

        Clocks have been set back since; waits that services asked for then end. How many it were, `limit` at most.
        """


class CallBudgetRepository(Protocol):
    """What is left of the calls that services take, for accounts of all organizations."""

    async def take(
        self, wanted: Mapping[BudgetKey, tuple[CallAllowance, int]], now: datetime
    ) -> Mapping[BudgetKey, Block]:
        """Take so many calls from each budget, or those that are left."""

    async def block(self, service: str, holder: str, until: datetime) -> None:
        """Have nobody call for this account before that moment, or a later one that is known."""

    async def fill(self, now: datetime) -> None:
        """Have all of them full, and nobody wait: until when was said by a clock that has been set back since."""

    async def forget(self, full_before: datetime, limit: int) -> int:
        """Remove those of which nothing was taken since; how many it were."""


class OperationBudgetRepository(Protocol):
    """What is left of the points that people may spend on operations."""

    async def take(
        self, user_id: UUID, allowance: OperationAllowance, now: datetime, *, back: int, least: int, most: int
    ) -> OperationBlock:
        """Give some back, then take so many points, or those that are left; none where these are less than `least`."""

    async def forget(self, full_before: datetime, limit: int) -> int:
        """Remove those of which nothing was taken since; how many it were."""


class ServiceIncidentRepository(Protocol):
    """Services that are or were down."""

    async def open(self) -> Sequence[ServiceIncident]:
        """Those that haven't ended."""

    async def find(self, incident_id: UUID) -> ServiceIncident | None: ...

    async def begin(self, incident: ServiceIncident) -> bool:
        """False where there is one already, also where two are begun at once."""

    async def take_probe(self, incident_id: UUID, now: datetime, next_probe_at: datetime, *, latest: datetime) -> bool:
        """Whether it is the caller who asks this time whether the service is back.

        It is time for that where the moment is past, or later than the latest that can be meant.
        """

    async def end(self, incident_id: UUID, at: datetime) -> bool:
        """False where it has ended already."""

    async def affected(self, service: str, *, after: UUID | None, limit: int) -> Sequence[tuple[UUID, UUID, int]]:
        """Organizations that have or had connections to it, in the order of their ids, after `after`.

        Each with one of its connections, and how many of them are checked.
        """


class DeletedConnectionRepository(Protocol):
    """What deleted connections of all organizations leave behind."""

    async def forget(self, deleted_before: datetime, limit: int) -> int:
        """Remove what isn't needed for the history; of how many connections it was, `limit` at most."""


@dataclass(frozen=True, slots=True, order=True)
class ConnectionKey:
    """A connection, whoever's it is."""

    organization_id: UUID
    connection_id: UUID


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """What there is of a connection's checks and days. Nones where there is nothing.

    Days are counted without gaps up to `counted_until`; `uncounted_from` is the first check from then on.
    """

    key: ConnectionKey
    counted_until: datetime | None
    ended_as: HealthStatus
    uncounted_from: datetime | None
    oldest_check_at: datetime | None
    oldest_day_ended_at: datetime | None


class HealthHistoryRepository(Protocol):
    """Checks and counted days of all organizations' connections."""

    async def kept(self, after: ConnectionKey | None, limit: int) -> Sequence[KeptHistory]:
        """Of the next connections that aren't deleted, in the order of their keys."""

    async def checks(
        self, key: ConnectionKey, after: CheckFound | None, *, since: datetime, until: datetime, limit: int
    ) -> Sequence[CheckFound]:
        """In their order, after `after`; `until` is no longer part of it."""

    async def add_days(self, key: ConnectionKey, days: Sequence[HealthDay]) -> None:
        """Those that are there already stay as they are."""

    async def forget_checks(
        self, key: ConnectionKey, before: datetime, limit: int, *, diagnoses_before: datetime
    ) -> int:
        """The oldest first; how many it were."""

    async def forget_days(self, key: ConnectionKey, ended_before: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class OldestEvent:
    """When the first event happened that an organization's feed still has; None where it has none."""

    organization_id: UUID
    occurred_at: datetime | None


class EventRetentionRepository(Protocol):
    """The feeds of all organizations, at their old end."""

    async def oldest(self, after: UUID | None, limit: int) -> Sequence[OldestEvent]:
        """Of the next organizations, in the order of their ids."""

    async def prune(self, organization_id: UUID, before: datetime, limit: int) -> int:
        """Remove the first events of a feed as long as they are older, and say so in its counter; how many it were.

        Call it last: it holds the organization's counter row until the commit.
        """


class WebhookDeliveryRepository(Protocol):
    """What services have sent."""

    async def add(self, delivery: WebhookDelivery) -> bool:
        """False for a repeat, also where both come at once."""

    async def find(self, delivery: UUID) -> WebhookDelivery | None: ...

    async def find_delivered(self, service: str, delivery_id: str) -> WebhookDelivery | None: ...

    async def received(
        self, service: str, since: datetime, *, after: UUID | None = None, limit: int = 20
    ) -> Sequence[WebhookDelivery]:
        """Those of a service that came since then, in the order of their ids, after `after`."""

    async def save(self, delivery: WebhookDelivery) -> None: ...

    async def forget(self, received_before: datetime, limit: int) -> int:
        """Remove those that no longer wait to be processed; how many it were."""
