"""What people and keys have done, as rows that are only ever added, until retention removes them.

Reached as `unit.audit`.
"""

from sqlalchemy import insert

from domain.entities.audit import AuditRecord
from persistence.tables import audit_records
from persistence.transaction import Transaction


class SqlAuditRepository:
    """Implements AuditRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, record: AuditRecord) -> None:
        await self._transaction.execute(
            insert(audit_records).values(
                organization_id=record.organization_id,
                id=record.id,
                occurred_at=record.occurred_at,
                action=record.action.value,
                actor_kind=record.actor.kind.value,
                actor_name=record.actor.name,
                actor_user_id=record.actor.user_id,
                actor_api_key_id=record.actor.api_key_id,
                address=record.origin.address,
                request_id=record.origin.request_id,
                subject_id=record.subject_id,
                subject_name=record.subject_name,
                data=record.data,
            )
        )
