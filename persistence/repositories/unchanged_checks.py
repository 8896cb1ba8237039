"""Scheduled checks that found what was known, as rows: hundreds in a few statements, and no entity is loaded.

Called by the repository of due checks alone. A connection that several of them are of, at most one has its lease.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import and_, bindparam, insert, literal, or_, select, update

from domain.entities.due_check import UnchangedCheck
from domain.entities.health import HealthCheckTrigger, HealthStatus, Verdict
from persistence.column_types import Identifier, Timestamp
from persistence.repositories.due_check_rows import RATE_LIMIT, key_is, leases_of, still_leased
from persistence.repositories.given_rows import Columns, given_rows
from persistence.repositories.health_probes import probes_to_json
from persistence.repositories.leases import NOT_LEASED
from persistence.repositories.service_connection_rows import rate_limit_values
from persistence.tables import connection_health, health_checks, service_connections, service_credentials
from persistence.transaction import Transaction

_h, _c, _k = connection_health.c, service_connections.c, service_credentials.c
_ALIKE: Final = {
    "status": HealthStatus.HEALTHY.value,
    "verdict": Verdict.PASSED.value,
    "trigger": HealthCheckTrigger.SCHEDULE.value,
}


async def note(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> int:
    """Keep those that are still their lease's, of connections that are all different: how many it were."""
    sharing = await _note_sharing(transaction, [check for check in checks if check.probes is None])
    renewing = await _note_renewing(transaction, [check for check in checks if check.probes is not None])
    return sharing + renewing


async def _note_sharing(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> int:
    """Those whose probes are an earlier check's."""
    kept = await _note_health(transaction, checks, {}) if checks else []
    if kept:
        await _share(transaction, kept)
    return len(kept)


async def _note_renewing(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> int:
    """Those that have probes of their own, which the connection carries from now on."""
    if not checks:
        return 0
    await _lock_connections(transaction, checks)  # before their health, as whoever locks both does
    diagnoses: Columns = {
        "diagnosis_id": (Identifier(), [check.id for check in checks]),
        "diagnosed_at": (Timestamp(), [check.started_at for check in checks]),
    }
    kept = await _note_health(transaction, checks, diagnoses)
    if kept:
        await _renew(transaction, kept)
    return len(kept)


async def _lock_connections(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> None:
    """In one order everywhere, so that nobody waits in a circle."""
    given = given_rows(transaction, leases_of([check.due for check in checks]))
    which = and_(_c.organization_id == given.c.organization_id, _c.id == given.c.connection_id)
    await transaction.execute(
        select(_c.id)
        .join_from(given, service_connections, which)
        .order_by(_c.organization_id, _c.id)
        .with_for_update(of=service_connections, key_share=True)
    )


async def _note_health(
    transaction: Transaction, checks: Sequence[UnchangedCheck], further: Columns
) -> Sequence[UnchangedCheck]:
    """Those that were kept."""
    limits = [rate_limit_values(check.rate_limit) for check in checks]
    new: Columns = {
        "next_check_at": (Timestamp(), [check.next_check_at for check in checks]),
        "checked_at": (Timestamp(), [check.started_at for check in checks]),
        "latency_ms": (_h.latency_ms.type, [check.latency_ms for check in checks]),
        **further,
        **{name: (_h[name].type, [limit[name] for limit in limits]) for name in RATE_LIMIT},
    }
    given = given_rows(transaction, {**leases_of([check.due for check in checks]), **new})
    noted = await transaction.execute(
        update(connection_health)
        .where(still_leased(given))
        .values({**{name: given.c[name] for name in new}, **NOT_LEASED})
        .returning(_h.connection_id)
    )
    kept = set(noted.scalars())
    return [check for check in checks if check.due.connection_id in kept]


async def _share(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> None:
    given = given_rows(
        transaction,
        {
            "organization_id": (Identifier(), [check.due.organization_id for check in checks]),
            "id": (Identifier(), [check.id for check in checks]),
            "connection_id": (Identifier(), [check.due.connection_id for check in checks]),
            "started_at": (Timestamp(), [check.started_at for check in checks]),
            "latency_ms": (health_checks.c.latency_ms.type, [check.latency_ms for check in checks]),
            "diagnosis_id": (Identifier(), [check.due.diagnosis_id for check in checks]),
        },
    )
    alike = {**_ALIKE, "probes": []}
    values = [*given.c, *(literal(value, health_checks.c[name].type) for name, value in alike.items())]
    await transaction.execute(insert(health_checks).from_select([*given.c.keys(), *alike], select(*values)))


async def _renew(transaction: Transaction, checks: Sequence[UnchangedCheck]) -> None:
    await transaction.execute(insert(health_checks), [_diagnosis(check) for check in checks])
    await transaction.execute(
        update(service_connections)
        .where(_c.organization_id == bindparam("of_organization"), _c.id == bindparam("of_connection"))
        .values(health_probes=bindparam("probes")),
        [
            {
                "of_organization": check.due.organization_id,
                "of_connection": check.due.connection_id,
                "probes": probes_to_json(check.probes or ()),
            }
            for check in checks
        ],
    )
    used = {"used_at": (Timestamp(), [check.started_at for check in checks])}
    given = given_rows(transaction, {**leases_of([check.due for check in checks]), **used})
    await transaction.execute(
        update(service_credentials)
        .where(key_is(_k, given), or_(_k.last_used_at.is_(None), _k.last_used_at < given.c.used_at))
        .values(last_used_at=given.c.used_at)
    )


def _diagnosis(check: UnchangedCheck) -> dict[str, Any]:
    return {
        **_ALIKE,
        "organization_id": check.due.organization_id,
        "id": check.id,
        "connection_id": check.due.connection_id,
        "started_at": check.started_at,
        "latency_ms": check.latency_ms,
        "probes": probes_to_json(check.probes or ()),
    }
