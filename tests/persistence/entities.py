"""Entities as the suites of the repositories store them."""

from datetime import UTC, datetime
from uuid import UUID

from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import CredentialKind, ServiceCredential
from domain.entities.event import ConnectionEventType, EventDraft
from domain.entities.health import (
    HealthCheck,
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    ProbeOutcome,
    Remedy,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.entities.repository import Repository
from domain.entities.service_connection import ServiceConnection
from persistence.unit_of_work import SqlUnitsOfWork

NOW = datetime(2026, 11, 23, 7, 30, 0, 120_000, UTC)

PROBES = (
    HealthProbe("credential_opens", ProbeOutcome.PASSED, "opened", "The stored credential opens."),
    HealthProbe(
        "quota",
        ProbeOutcome.WARNED,
        "quota_low",
        "Few calls are “left”.",
        Remedy.WAIT,
        42,
        {"remaining": 3, "share": 0.5, "of": ["core", None], "ok": False},
    ),
)


def service_connection(organization_id: UUID, name: str = "Octo") -> ServiceConnection:
    return ServiceConnection(
        id=new_id(),
        organization_id=organization_id,
        service="github",
        name=name,
        status=ConnectionStatus.PENDING,
        status_changed_at=NOW,
        created_by=None,
        created_at=NOW,
        updated_at=NOW,
    )


async def stored_connection(units: SqlUnitsOfWork, organization_id: UUID, name: str = "Octo") -> ServiceConnection:
    connection = service_connection(organization_id, name)
    async with units.writing(organization_id) as unit:
        await unit.connections.add(connection)
        await unit.commit()
    return connection


def credential(connection: ServiceConnection) -> ServiceCredential:
    return ServiceCredential(
        id=new_id(),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        kind=CredentialKind.TOKEN,
        sealed="v1.0123456789abcdef.c2VhbGVk",
        key_id="0123456789abcdef",
        fingerprint="ab12",
        scopes=("repo", "read:org"),
        expires_at=NOW,
        refresh_expires_at=None,
        refreshable=False,
        generation=1,
        created_at=NOW,
        rotated_at=NOW,
    )


def health_check(connection: ServiceConnection) -> HealthCheck:
    return HealthCheck(
        id=new_id(),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        status=HealthStatus.HEALTHY,
        verdict=Verdict.PASSED,
        message=None,
        started_at=NOW,
        latency_ms=1,
        trigger=HealthCheckTrigger.MANUAL,
        probes=(),
    )


def repository(connection: ServiceConnection, full_name: str) -> Repository:
    return Repository(
        id=new_id(),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        external_id=f"external {full_name}",
        full_name=full_name,
        url=f"https://github.example/{full_name}",
        default_branch="main",
        private=True,
        archived=False,
        selected=True,
        synced_at=NOW,
    )


def draft(connection: ServiceConnection) -> EventDraft:
    return EventDraft(ConnectionEventType.HEALTH_CHECKED, connection.organization_id, connection.id, NOW)
