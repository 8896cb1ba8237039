"""Health checks and the days that are counted of them, as rows of all organizations: for counting and for forgetting.

Reached as `unit.health_history`; documents read both for clients. Each statement follows the index of one connection.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, Table, and_, delete, func, literal, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from domain.entities.health import HealthStatus
from domain.entities.health_day import HealthDay
from domain.health_days import CheckFound
from domain.work_ports import ConnectionKey, KeptHistory
from persistence.column_types import Timestamp
from persistence.tables import health_checks, health_days, service_connections
from persistence.transaction import Transaction

_checks, _days = health_checks.c, health_days.c
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class SqlHealthHistoryRepository:
    """Implements HealthHistoryRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def kept(self, after: ConnectionKey | None, limit: int) -> Sequence[KeptHistory]:
        """Each of the few moments is one step into an index."""
        key = (service_connections.c.organization_id, service_connections.c.id)
        walked = select(*key).where(service_connections.c.deleted_at.is_(None))
        if after is not None:
            walked = walked.where(tuple_(*key) > (after.organization_id, after.connection_id))
        connections = walked.order_by(*key).limit(limit).subquery("connection")
        connection = connections.c

        def of(table: Table) -> ColumnElement[bool]:
            return and_(table.c.organization_id == connection.organization_id, table.c.connection_id == connection.id)

        def one(statement: Select[Any]) -> ScalarSelect[Any]:
            return statement.correlate(connections).scalar_subquery()  # said, since it stands within another, too

        counted_until = one(select(func.max(_days.ended_at)).where(of(health_days)))
        newest_day = select(_days.ended_as).where(of(health_days)).order_by(_days.ended_at.desc()).limit(1)
        uncounted = _checks.started_at >= func.coalesce(counted_until, literal(_EVER, Timestamp))
        rows = await self._transaction.execute(
            select(
                connection.organization_id,
                connection.id,
                counted_until.label("counted_until"),
                one(newest_day).label("ended_as"),
                one(select(func.min(_checks.started_at)).where(of(health_checks), uncounted)).label("uncounted_from"),
                one(select(func.min(_checks.started_at)).where(of(health_checks))).label("oldest_check"),
                one(select(func.min(_days.ended_at)).where(of(health_days))).label("oldest_day"),
            ).order_by(connection.organization_id, connection.id)
        )
        return [
            KeptHistory(
                ConnectionKey(row.organization_id, row.id),
                row.counted_until,
                HealthStatus(row.ended_as or HealthStatus.UNKNOWN),
                row.uncounted_from,
                row.oldest_check,
                row.oldest_day,
            )
            for row in rows
        ]

    async def checks(
        self, key: ConnectionKey, after: CheckFound | None, *, since: datetime, until: datetime, limit: int
    ) -> Sequence[CheckFound]:
        statement = select(_checks.id, _checks.started_at, _checks.status, _checks.latency_ms).where(
            _of(health_checks, key), _checks.started_at >= since, _checks.started_at < until
        )
        if after is not None:
            statement = statement.where(tuple_(_checks.started_at, _checks.id) > (after.started_at, after.id))
        rows = await self._transaction.execute(statement.order_by(_checks.started_at, _checks.id).limit(limit))
        return [CheckFound(row.id, row.started_at, HealthStatus(row.status), row.latency_ms) for row in rows]

    async def add_days(self, key: ConnectionKey, days: Sequence[HealthDay]) -> None:
        if not days:
            return
        insert = sqlite.insert if self._transaction.connection.dialect.name == "sqlite" else postgresql.insert
        await self._transaction.execute(
            insert(health_days).on_conflict_do_nothing(), [_values(key, day) for day in days]
        )

    async def forget_checks(
        self, key: ConnectionKey, before: datetime, limit: int, *, diagnoses_before: datetime
    ) -> int:
        old = select(_checks.id).where(
            _of(health_checks, key),
            _checks.started_at < before,
            or_(_checks.diagnosis_id.is_not(None), _checks.started_at < diagnoses_before),
        )
        oldest = old.order_by(_checks.started_at, _checks.id).limit(limit)
        forgotten = await self._transaction.execute(
            delete(health_checks).where(_checks.organization_id == key.organization_id, _checks.id.in_(oldest))
        )
        return forgotten.rowcount

    async def forget_days(self, key: ConnectionKey, ended_before: datetime) -> None:
        await self._transaction.execute(delete(health_days).where(_of(health_days, key), _days.ended_at < ended_before))


def _of(table: Table, key: ConnectionKey) -> ColumnElement[bool]:
    return and_(table.c.organization_id == key.organization_id, table.c.connection_id == key.connection_id)


def _values(key: ConnectionKey, day: HealthDay) -> dict[str, Any]:
    return {
        "organization_id": key.organization_id,
        "connection_id": key.connection_id,
        "ended_at": day.ended_at,
        "ended_as": day.ended_as.value,
        "up_microseconds": day.up // _MICROSECOND,
        "degraded_microseconds": day.degraded // _MICROSECOND,
        "down_microseconds": day.down // _MICROSECOND,
        "checks": day.checks,
        "failures": day.failures,
        "latencies": {str(mark): count for mark, count in day.latencies.items()},
    }
