"""When connections are checked, as rows of `connection_health`: claimed by one process at a time, noted by many.

Reached as `unit.due_checks`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, not_, null, or_, select, tuple_, update

from domain.entities.due_check import DueCheck, UnchangedCheck
from persistence.column_types import Timestamp
from persistence.repositories.due_check_rows import (
    RATE_LIMIT,
    due_check,
    key_is,
    keys_of,
    leases_of,
    still_leased,
)
from persistence.repositories.given_rows import given_rows
from persistence.repositories.leases import NOT_LEASED, is_free
from persistence.repositories.unchanged_checks import note
from persistence.tables import connection_health, organizations, service_connections, service_credentials
from persistence.transaction import Transaction

_h, _c, _k = connection_health.c, service_connections.c, service_credentials.c
_KEY = tuple_(_h.organization_id, _h.connection_id)


class SqlDueCheckRepository:
    """Implements DueCheckRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def next_due(self, services: Sequence[str]) -> datetime | None:
        """By one look into the index for each service."""
        firsts = [
            select(func.min(_h.next_check_at)).where(_h.service == service, _h.next_check_at.is_not(None))
            for service in services
        ]
        found = [(await self._transaction.execute(first)).scalar_one() for first in firsts]
        return min((at for at in found if at is not None), default=None)

    async def claim(
        self, service: str, now: datetime, until: datetime, limit: int, *, due_by: datetime | None = None
    ) -> Sequence[DueCheck]:
        """All that one call claims is under one lease."""
        lease = uuid4()
        due = (
            select(_h.organization_id, _h.connection_id)
            .where(_h.service == service, _h.next_check_at <= (due_by or now), is_free(_h, now))
            .order_by(_h.next_check_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")  # evaluated once; as a subquery it could be again for each row, locking more than the limit
        )
        claimed = await self._transaction.execute(
            update(connection_health)
            .where(_KEY.in_(select(due.c.organization_id, due.c.connection_id)))
            .values(lease=lease, leased_until=until)
            .returning(_h.organization_id, _h.connection_id)
        )
        keys = claimed.all()
        return await self._read(keys, lease) if keys else []

    async def take(
        self, organization_id: UUID, connection_id: UUID, lease: UUID, now: datetime, until: datetime
    ) -> bool:
        taken = await self._transaction.execute(
            update(connection_health)
            .where(_is(organization_id, connection_id), is_free(_h, now))
            .values(lease=lease, leased_until=until)
        )
        return taken.rowcount == 1

    async def is_leased(self, organization_id: UUID, connection_id: UUID, now: datetime) -> bool:
        leased = select(_h.lease).where(_is(organization_id, connection_id), not_(is_free(_h, now)))
        return (await self._transaction.execute(leased)).scalar_one_or_none() is not None

    async def holds(self, due: DueCheck) -> bool:
        """To be asked when the connection is locked already, together with which its health is."""
        held = select(_h.lease).where(_is(due.organization_id, due.connection_id))
        return (await self._transaction.execute(held)).scalar_one_or_none() == due.lease

    async def note_unchanged(self, checks: Sequence[UnchangedCheck]) -> int:
        """Of several checks of one connection, at most one is its lease's: each is asked for by itself."""
        kept = 0
        while checks:
            once = {(check.due.organization_id, check.due.connection_id): check for check in checks}
            kept += await note(self._transaction, list(once.values()))
            noted = {check.id for check in once.values()}
            checks = [check for check in checks if check.id not in noted]
        return kept

    async def put_off(self, postponed: Sequence[tuple[DueCheck, datetime]]) -> None:
        if not postponed:
            return
        moments = {"next_check_at": (Timestamp(), [at for _, at in postponed])}
        given = given_rows(self._transaction, {**leases_of([due for due, _ in postponed]), **moments})
        await self._transaction.execute(
            update(connection_health)
            .where(still_leased(given))
            .values(next_check_at=given.c.next_check_at, **NOT_LEASED)
        )

    async def release(self, organization_id: UUID, connection_id: UUID, lease: UUID) -> None:
        await self._transaction.execute(
            update(connection_health).where(_is(organization_id, connection_id), _h.lease == lease).values(**NOT_LEASED)
        )

    async def spread(self, service: str, now: datetime, *, at: Callable[[], datetime], limit: int) -> int:
        overdue = and_(_h.service == service, _h.next_check_at <= now, is_free(_h, now))
        return await self._reschedule(overdue, at, limit)

    async def bring_within(
        self, organization_id: UUID, now: datetime, latest: datetime, *, at: Callable[[], datetime], limit: int
    ) -> int:
        blocked = and_(_h.rate_limit_blocked_until.is_not(None), _h.rate_limit_blocked_until > now)
        used_up = and_(func.coalesce(_h.rate_limit_remaining, 1) == 0, func.coalesce(_h.rate_limit_reset_at, now) > now)
        late = and_(_h.organization_id == organization_id, _h.next_check_at > latest, not_(or_(blocked, used_up)))
        return await self._reschedule(late, at, limit)

    async def bring_forward(
        self,
        now: datetime,
        *,
        checked_after: datetime,
        due_after: datetime,
        at: Callable[[], datetime],
        limit: int,
    ) -> int:
        checked = _h.checked_at > checked_after
        ahead = and_(_h.next_check_at.is_not(None), or_(checked, _h.next_check_at > due_after))
        return await self._reschedule(
            ahead,
            at,
            limit,
            checked_at=case((checked, literal(now, Timestamp())), else_=_h.checked_at),
            rate_limit_blocked_until=case((checked, null()), else_=_h.rate_limit_blocked_until),
        )

    async def _reschedule(
        self, which: ColumnElement[bool], at: Callable[[], datetime], limit: int, **values: ColumnElement[Any]
    ) -> int:
        found = await self._transaction.execute(
            select(_h.organization_id, _h.connection_id).where(which).limit(limit).with_for_update(skip_locked=True)
        )
        keys = found.all()
        if keys:
            moments = {"next_check_at": (Timestamp(), [at() for _ in keys])}
            given = given_rows(self._transaction, {**keys_of(keys), **moments})
            await self._transaction.execute(
                update(connection_health).where(key_is(_h, given)).values(next_check_at=given.c.next_check_at, **values)
            )
        return len(keys)

    async def _read(self, keys: Sequence[Row[Any]], lease: UUID) -> Sequence[DueCheck]:
        given = given_rows(self._transaction, keys_of(keys))
        rows = await self._transaction.execute(
            select(
                service_credentials,
                _c.service,
                _c.account_id,
                _c.settings,
                _c.status_changed_at,
                organizations.c.check_interval_seconds,
                _h.next_check_at,
                _h.next_trigger,
                _h.finding,
                _h.diagnosis_id,
                _h.diagnosed_at,
                *(_h[name] for name in RATE_LIMIT),
            )
            .join_from(given, connection_health, key_is(_h, given))
            .join(
                service_connections, and_(_c.organization_id == given.c.organization_id, _c.id == given.c.connection_id)
            )
            .join(service_credentials, key_is(_k, given))
            .join(organizations, organizations.c.id == given.c.organization_id)
            .order_by(_h.next_check_at)
        )
        return [due_check(row, lease) for row in rows]


def _is(organization_id: UUID, connection_id: UUID) -> ColumnElement[bool]:
    return and_(_h.organization_id == organization_id, _h.connection_id == connection_id)
