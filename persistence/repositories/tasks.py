"""Tasks as rows, one of a kind for a subject: claimed by one process at a time, which writes by its lease.

Reached as `unit.tasks`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, and_, case, delete, literal, or_, select, update

from domain.entities.task import Task, TaskKind
from persistence.column_types import Timestamp
from persistence.repositories.insert_or_update import insert_or_update
from persistence.repositories.leases import NOT_LEASED, is_free
from persistence.tables import tasks
from persistence.transaction import Transaction

_c = tasks.c
_NOT_LEASED = {**NOT_LEASED, "put_again_at": None}


class SqlTaskRepository:
    """Implements TaskRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, task: Task) -> None:
        """Attempts that have failed still count."""

        def changes(new: Any) -> dict[str, Any]:
            return {
                "due_at": case((_c.lease.is_(None), _earlier(_c.due_at, new.due_at)), else_=_c.due_at),
                "put_again_at": case((_c.lease.is_not(None), _earlier(_c.put_again_at, new.due_at))),
                **({"payload": new.payload} if task.payload else {}),
            }

        await insert_or_update(self._transaction, tasks, _values(task), key=_KEY, changes=changes)

    async def put_at(self, task: Task) -> None:
        def changes(new: Any) -> dict[str, Any]:
            return {
                "due_at": case((_c.lease.is_(None), new.due_at), else_=_c.due_at),
                "attempts": case((_c.lease.is_(None), new.attempts), else_=_c.attempts),
                "put_again_at": case((_c.lease.is_not(None), new.due_at)),
                "payload": new.payload,
            }

        await insert_or_update(self._transaction, tasks, _values(task), key=_KEY, changes=changes)

    async def claim(
        self,
        now: datetime,
        until: datetime,
        limit: int,
        kinds: Sequence[TaskKind],
        *,
        furthest: datetime | None = None,
    ) -> Sequence[Task]:
        """All that one call claims is under one lease."""
        is_due = _c.due_at <= now
        due = (
            select(_c.id)
            .where(
                is_due if furthest is None else or_(is_due, _c.due_at > furthest),
                is_free(_c, now),
                _c.kind.in_([kind.value for kind in kinds]),
            )
            .order_by(_c.due_at, _c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")  # evaluated once; as a subquery it could be again for each row, locking more than the limit
        )
        claimed = await self._transaction.execute(
            update(tasks)
            .where(_c.id.in_(select(due.c.id)))
            .values(
                lease=uuid4(),
                leased_until=until,
                attempts=_c.attempts + 1,
                put_again_at=case((_c.put_again_at > now, _c.put_again_at)),  # what was wanted by now is done by this
            )
            .returning(tasks)
        )
        return sorted(map(_entity, claimed), key=lambda task: (task.due_at, task.id))

    async def extend(self, task: Task, until: datetime) -> bool:
        extended = await self._transaction.execute(update(tasks).where(_held_by(task)).values(leased_until=until))
        return extended.rowcount == 1

    async def finish(self, task: Task) -> bool:
        """Tried in this order, since one that is put while it is being deleted is then there to be updated."""
        deleted = await self._transaction.execute(delete(tasks).where(_held_by(task), _c.put_again_at.is_(None)))
        if deleted.rowcount == 1:
            return True
        kept = await self._transaction.execute(
            update(tasks).where(_held_by(task)).values(due_at=_c.put_again_at, attempts=0, **_NOT_LEASED)
        )
        return kept.rowcount == 1

    async def repeat(self, task: Task, due_at: datetime, *, attempts: int) -> bool:
        earlier = _earlier(_c.put_again_at, literal(due_at, Timestamp))
        repeated = await self._transaction.execute(
            update(tasks).where(_held_by(task)).values(due_at=earlier, attempts=attempts, **_NOT_LEASED)
        )
        return repeated.rowcount == 1

    async def find(self, kind: TaskKind, subject_id: UUID) -> Task | None:
        rows = await self._transaction.execute(select(tasks).where(_c.subject_id == subject_id, _c.kind == kind.value))
        row = rows.one_or_none()
        return None if row is None else _entity(row)

    async def remove(self, subject_id: UUID) -> None:
        await self._transaction.execute(delete(tasks).where(_c.subject_id == subject_id))


_KEY = ("subject_id", "kind")


def _earlier(kept: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """The new one also where none is kept."""
    return case((kept < new, kept), else_=new)


def _held_by(task: Task) -> ColumnElement[bool]:
    if task.lease is None:
        raise RuntimeError("this task wasn't claimed")
    return and_(_c.id == task.id, _c.lease == task.lease)


def _values(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "kind": task.kind.value,
        "subject_id": task.subject_id,
        "organization_id": task.organization_id,
        "due_at": task.due_at,
        "attempts": task.attempts,
        "payload": task.payload,
        "lease": task.lease,
        "leased_until": task.leased_until,
    }


def _entity(row: Row[Any]) -> Task:
    return Task(
        id=row.id,
        kind=TaskKind(row.kind),
        subject_id=row.subject_id,
        organization_id=row.organization_id,
        due_at=row.due_at,
        attempts=row.attempts,
        payload=row.payload,
        lease=row.lease,
        leased_until=row.leased_until,
    )
