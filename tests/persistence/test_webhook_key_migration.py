"""What an upgrade does to the webhook keys that earlier versions have stored."""

import asyncio
from uuid import UUID

import pytest

from domain.entities.credential import CredentialKind
from persistence import migrations
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import credential, service_connection

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("service", "kind", "kept"),
    [
        ("slack", CredentialKind.TOKEN, None),
        ("slack", CredentialKind.OAUTH2, "team:T1"),
        ("gitlab", CredentialKind.TOKEN, "team:T1"),
    ],
)
async def test_slacks_webhooks_no_longer_mean_tokens(
    database_url: str, units: SqlUnitsOfWork, acme: UUID, service: str, kind: CredentialKind, kept: str | None
) -> None:
    connection = service_connection(acme)
    connection.service, connection.webhook_key = service, "team:T1"
    held = credential(connection)
    held.kind = kind
    async with units.writing(acme) as unit:
        await unit.connections.add(connection)
        await unit.credentials.add(held)
        await unit.commit()

    await asyncio.to_thread(migrations.downgrade, database_url, "0005-1")
    await asyncio.to_thread(migrations.upgrade, database_url)

    async with Database(database_url) as anew, SqlUnitsOfWork(anew, lambda _: None).reading(acme) as unit:
        assert (await unit.connections.get(connection.id)).webhook_key == kept
