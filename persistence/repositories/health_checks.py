"""The history of health checks as rows.

Reached as `unit.health_checks`; read only by documents.
"""

from sqlalchemy import insert

from domain.entities.health import HealthCheck
from persistence.repositories.health_probes import probes_to_json
from persistence.repositories.tenant import Tenant
from persistence.tables import health_checks


class SqlHealthCheckRepository:
    """Implements HealthCheckRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
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
