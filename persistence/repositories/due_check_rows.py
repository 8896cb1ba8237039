"""Due checks to rows and back: what a claim reads, and the columns of those that are noted or put off, many at once.

Called by the repository of due checks, and by what notes those without news.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, and_

from domain.entities.due_check import DueCheck
from domain.entities.health import HealthCheckTrigger
from persistence.column_types import Identifier
from persistence.repositories.given_rows import Columns
from persistence.repositories.service_connection_rows import rate_limit, rate_limit_values
from persistence.repositories.service_credentials import credential_entity
from persistence.tables import connection_health

RATE_LIMIT = tuple(rate_limit_values(None))


def due_check(row: Row[Any], lease: UUID) -> DueCheck:
    """What a claim gives: a row of health, with its connection, credential and organization."""
    return DueCheck(
        organization_id=row.organization_id,
        connection_id=row.connection_id,
        service=row.service,
        lease=lease,
        due_at=row.next_check_at,
        trigger=HealthCheckTrigger(row.next_trigger),
        account_id=row.account_id,
        settings=row.settings,
        status_changed_at=row.status_changed_at,
        interval=timedelta(seconds=row.check_interval_seconds),
        rate_limit=rate_limit(row),
        finding=row.finding,
        diagnosis_id=row.diagnosis_id,
        diagnosed_at=row.diagnosed_at,
        credential=credential_entity(row),
    )


def keys_of(keys: Sequence[Row[Any]]) -> Columns:
    return {
        "organization_id": (Identifier(), [key.organization_id for key in keys]),
        "connection_id": (Identifier(), [key.connection_id for key in keys]),
    }


def leases_of(dues: Sequence[DueCheck]) -> Columns:
    return {
        "organization_id": (Identifier(), [due.organization_id for due in dues]),
        "connection_id": (Identifier(), [due.connection_id for due in dues]),
        "lease": (Identifier(), [due.lease for due in dues]),
    }


def key_is(columns: Any, given: FromClause) -> ColumnElement[bool]:
    """The rows, by the key that tables beside the connections' have, that are given."""
    return and_(columns.organization_id == given.c.organization_id, columns.connection_id == given.c.connection_id)


def still_leased(given: FromClause) -> ColumnElement[bool]:
    """The rows of health that are given, where they are still the lease's."""
    return and_(key_is(connection_health.c, given), connection_health.c.lease == given.c.lease)
