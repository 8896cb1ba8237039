"""The history of health checks as rows.

Reached as `unit.health_checks`. Scheduled checks without news are added by `due_checks.py`, many at once.
"""

from uuid import UUID

from sqlalchemy import insert, select

from domain.entities.health import HealthCheck, HealthCheckTrigger, HealthStatus, Verdict
from persistence.repositories.health_probes import probes_from_json, probes_to_json
from persistence.repositories.tenant import Tenant
from persistence.tables import health_checks

_c = health_checks.c


class SqlHealthCheckRepository:
    """Implements HealthCheckRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def add(self, check: HealthCheck) -> None:
        await self._transaction.execute(
            insert(health_checks).values(
                organization_id=self._own(check.organization_id),
                id=check.id,
                connection_id=check.connection_id,
                status=check.status.value,
                verdict=check.verdict.value,
                message=check.message,
                started_at=check.started_at,
                latency_ms=check.latency_ms,
                trigger=check.trigger.value,
                probes=probes_to_json(check.probes),
            )
        )

    async def latest(self, connection_id: UUID) -> HealthCheck | None:
        rows = await self._transaction.execute(
            select(health_checks)
            .where(_c.organization_id == self._organization_id, _c.connection_id == connection_id)
            .order_by(_c.started_at.desc(), _c.id.desc())
            .limit(1)
        )
        row = rows.one_or_none()
        if row is None:
            return None
        return HealthCheck(
            id=row.id,
            organization_id=row.organization_id,
            connection_id=row.connection_id,
            status=HealthStatus(row.status),
            verdict=Verdict(row.verdict),
            message=row.message,
            started_at=row.started_at,
            latency_ms=row.latency_ms,
            trigger=HealthCheckTrigger(row.trigger),
            probes=probes_from_json(await self._shared(row.diagnosis_id) if row.diagnosis_id else row.probes),
        )

    async def _shared(self, check_id: UUID) -> list[dict[str, object]]:
        """None where that check is forgotten, as documents say, too."""
        of_check = select(_c.probes).where(_c.organization_id == self._organization_id, _c.id == check_id)
        probes: list[dict[str, object]] | None = (await self._transaction.execute(of_check)).scalar_one_or_none()
        return probes or []
