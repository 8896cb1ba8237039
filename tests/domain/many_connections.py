"""Thousands of connections at once, each with a token that the sandbox knows, as checks leave them. For tests of what
many of them do to workers.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert

from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import ExternalAccount, HealthStatus, Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.secret import Secret
from domain.services.authorization import Grant
from persistence.database import Database
from persistence.repositories.service_connection_rows import health_values, values
from persistence.repositories.service_credentials import credential_values
from persistence.tables import connection_health, service_connections, service_credentials
from tests.domain.world import World
from tests.every_row import every_row


async def connect_many(world: World, token: Secret, count: int, *, service: str = "github") -> list[UUID]:
    """Connections of the world's organization, all by that token, all due for a check now."""
    vault, account = CredentialVault(world.encryption), ExternalAccount("583231", "acme-bot")
    return await store_many(
        world.database, vault, world.organization_id, [(token, account)] * count, world.clock(), service=service
    )


async def store_many(
    database: Database,
    vault: CredentialVault,
    organization_id: UUID,
    tokens: Sequence[tuple[Secret, ExternalAccount]],
    now: datetime,
    *,
    service: str = "github",
) -> list[UUID]:
    """A connection for each token, all due for a check now."""
    connections, credentials = [], []
    for number, (token, account) in enumerate(tokens):
        connection = ServiceConnection.create(
            id=new_id(),
            organization_id=organization_id,
            service=service,
            name=f"{service} {number}",
            labels={},
            settings={},
            required_scopes=(),
            created_by=None,
            now=now - timedelta(days=1),
        )
        connection.status = ConnectionStatus.ACTIVE
        connection.external_account = account
        connection.health.status = HealthStatus.HEALTHY
        connection.health.next_check_at = now
        connections.append(connection)
        credentials.append(vault.create(connection, Grant(TokenSecret(token)), Identity(account), now))
    async with every_row(database) as transaction:
        await transaction.execute(insert(service_connections), [values(each) for each in connections])
        await transaction.execute(insert(connection_health), [health_values(each) for each in connections])
        await transaction.execute(insert(service_credentials), [credential_values(each) for each in credentials])
    return [each.id for each in connections]
