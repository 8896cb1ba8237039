"""What deleted connections leave behind, of all organizations. Their events stay, and with them their rows.

Reached as `unit.deleted_connections`.
"""

from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update

from persistence.tables import command_runs, health_checks, health_days, repositories, service_connections
from persistence.transaction import Transaction

_c = service_connections.c
_LEFT_BEHIND = (repositories, command_runs, health_checks, health_days)
_OF_ITS_ACCOUNT = ("account_id", "account_name", "account_url", "account_avatar_url", "webhook_key")


class SqlDeletedConnectionRepository:
    """Implements DeletedConnectionRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def forget(self, deleted_before: datetime, limit: int) -> int:
        """Repositories, runs of commands, checks and days of health, the account, labels and settings."""
        leaves = [
            select(table.c.connection_id)
            .where(table.c.organization_id == _c.organization_id, table.c.connection_id == _c.id)
            .exists()
            for table in _LEFT_BEHIND
        ]
        found = await self._transaction.execute(
            select(_c.organization_id, _c.id)
            .where(_c.deleted_at <= deleted_before, or_(_c.account_id.is_not(None), *leaves))
            .order_by(_c.deleted_at)
            .limit(limit)
        )
        connections = found.all()
        for connection in connections:
            organization_id, connection_id = connection.organization_id, connection.id
            for table in _LEFT_BEHIND:
                its = and_(table.c.organization_id == organization_id, table.c.connection_id == connection_id)
                await self._transaction.execute(delete(table).where(its))
            await self._transaction.execute(
                update(service_connections)
                .where(_c.organization_id == organization_id, _c.id == connection_id)
                .values(labels={}, settings={}, health_probes=[], **dict.fromkeys(_OF_ITS_ACCOUNT))
            )
        return len(connections)
