"""Subscription: an organization's events, replayed from a cursor and then live, without gap or duplicate.

Used by `gql/schema.py`. The feed tells how far it goes, the event reader which numbers a filter lets through, and each
event is then read as a document of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry
from graphql import located_error

from domain.entities.event import HEALTH_EVENT_TYPES, ConnectionEventType
from domain.entities.identifiers import Kind, parse_id
from domain.errors import BadUserInput, CursorExpired, Forbidden
from gql.charge import pay_again
from gql.context import Context, Info
from gql.execution import document
from gql.feed_place import feed_place
from gql.patience import patiently
from gql.types.event import ConnectionEvent, ConnectionEventFilter, EventsFilter
from gql.types.service_event import ServiceEventFilter, ServiceEventsFilter, StandardizedEvent
from persistence.documents.filters import connection_ids as parse_connection_ids
from persistence.documents.roots import Reference, event, service_event
from persistence.event_feed import FeedPosition, FeedWatch
from persistence.event_reader import Wanted

OrganizationId = Annotated[strawberry.ID, strawberry.argument(description="Whose events.")]
After = Annotated[
    str | None,
    strawberry.argument(
        description="An event's `cursor`, or `Organization.eventCursor`: what happened since comes first. "
        "Without it, only what happens from now on."
    ),
]


LOOKS_EVERY: Final = timedelta(seconds=2)
"""How often it is made sure, while nothing happens, that who follows a feed is still a member."""


@strawberry.type(description="What can be followed.")
class Subscription:
    @strawberry.subscription(
        description="An organization's events, in the order of their numbers. A client that was away goes on from the "
        "last cursor that it saw. Delivered at least once; an event's number tells it apart."
    )
    def connection_events(
        self,
        info: Info,
        organization_id: OrganizationId,
        after: After = None,
        filter: EventsFilter = None,
    ) -> AsyncIterator[ConnectionEvent]:
        given = filter or ConnectionEventFilter()
        wanted = Wanted(types=given.types)
        return _located(info, _follow(info.context, organization_id, after, wanted, given.connection_ids))

    @strawberry.subscription(
        description="An organization's events of health and status only; else as `connectionEvents`."
    )
    def connection_health(
        self,
        info: Info,
        organization_id: OrganizationId,
        connection_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Of these connections; of all by default.")
        ] = None,
        after: After = None,
    ) -> AsyncIterator[ConnectionEvent]:
        wanted = Wanted(types=HEALTH_EVENT_TYPES)
        return _located(info, _follow(info.context, organization_id, after, wanted, connection_ids))

    @strawberry.subscription(
        description="What services report by webhooks, in one shape for all of them; else as `connectionEvents`. A bot "
        "follows this, asks `Organization.commandSelection` what to do about an event, and does it by runCommand."
    )
    def service_events(
        self,
        info: Info,
        organization_id: OrganizationId,
        after: After = None,
        filter: ServiceEventsFilter = None,
    ) -> AsyncIterator[StandardizedEvent]:
        given = filter or ServiceEventFilter()
        wanted = Wanted(
            types=[ConnectionEventType.WEBHOOK_RECEIVED],
            said={"service": given.services, "type": given.types, "channel": given.channels},
            repositories=given.repositories,
        )
        return _located(
            info,
            _follow(info.context, organization_id, after, wanted, given.connection_ids, told_as=service_event),
        )


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A place in an organization's feed, in the text that documents write: `evt~organization~epoch~sequence`."""

    organization_id: UUID
    epoch: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> "FeedCursor":
        """Raises BadUserInput for any other text."""
        kind, *rest = text.split("~")
        try:
            organization_id, epoch, sequence = rest
            cursor = cls(UUID(organization_id), int(epoch), int(sequence))
        except ValueError:
            cursor = None
        if kind != "evt" or cursor is None:
            raise BadUserInput(f"{text[:80]!r} is no place in an event feed. Use an event's cursor, or an eventCursor.")
        return cursor

    def __str__(self) -> str:
        return f"evt~{self.organization_id}~{self.epoch}~{self.sequence}"


async def _located(info: Info, events: AsyncGenerator[Any]) -> AsyncIterator[Any]:
    """The same events. What ends them is an error of their field, as it would be of any other."""
    async with aclosing(events):
        try:
            async for each in events:
                yield each
        except Exception as error:
            raise located_error(error, path=info.path.as_list()) from error


async def _follow(
    context: Context,
    organization_text: str,
    after: str | None,
    wanted: Wanted,
    connections: Sequence[str] | None,
    *,
    told_as: Callable[[UUID, int], Reference] = event,
) -> AsyncGenerator[Any]:
    organization_id = parse_id(Kind.ORGANIZATION, organization_text)
    context.require_viewer()
    if organization_id is None:
        raise _not_a_member()
    if connections is not None:
        wanted = replace(wanted, connection_ids=parse_connection_ids(list(connections)))
    place = feed_place()
    async with context.feed.watch(organization_id) as watch:
        # Where a client was that comes again is further than where it once began, which its operation still says.
        epoch, sequence = await _start(context, organization_id, place.resume_after or after)
        while True:
            head = await _beyond(context, watch, organization_id, epoch, sequence)
            if head.epoch != epoch or head.pruned_sequence > sequence:
                raise CursorExpired()
            await patiently(context.authenticate_again)
            while sequence < head.sequence:
                next_sequences = partial(
                    context.events.sequences,
                    context.viewer,
                    organization_id,
                    after=sequence,
                    up_to=head.sequence,
                    wanted=wanted,
                )
                found = await patiently(next_sequences)
                if found is None:
                    raise _not_a_member()
                for sequence in found:
                    await pay_again()
                    place.cursor = str(FeedCursor(organization_id, epoch, sequence))
                    yield document(told_as(organization_id, sequence))
                sequence = sequence if found else head.sequence


async def _beyond(context: Context, watch: FeedWatch, organization_id: UUID, epoch: int, sequence: int) -> FeedPosition:
    """Where the feed ends, as soon as that is further on. Raises Forbidden for who is no member any more by then."""
    while True:
        try:
            async with asyncio.timeout(LOOKS_EVERY.total_seconds()):
                return await watch.beyond(epoch=epoch, sequence=sequence)
        except TimeoutError:
            await patiently(context.authenticate_again)
            if not await patiently(partial(context.events.is_member, context.viewer, organization_id)):
                raise _not_a_member() from None


async def _start(context: Context, organization_id: UUID, after: str | None) -> tuple[int, int]:
    """Epoch and sequence after which the subscription begins, once it is sure that the viewer may."""
    head = await context.feed.head(organization_id)
    if head is None or not await context.events.is_member(context.viewer, organization_id, at_once=True):
        raise _not_a_member()
    if after is None:
        return head.epoch, head.sequence
    cursor = FeedCursor.parse(after)
    if cursor.organization_id != organization_id:
        raise BadUserInput("This cursor is of another organization. Begin again without it.")
    if cursor.epoch != head.epoch or not head.pruned_sequence <= cursor.sequence <= head.sequence:
        raise CursorExpired()
    return cursor.epoch, cursor.sequence


def _not_a_member() -> Forbidden:
    """The same for an organization that is another's, one that doesn't exist, and an id that is none."""
    return Forbidden("You belong to no organization with this id.")
