"""Connections to the sandbox's GitHub that a browser has linked, so that their credentials can be refreshed.

Used by the tests of refreshing, in one process and in many.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.credential_secrets import OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import ServiceCredential
from domain.entities.health import ExternalAccount, Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.http import HttpClient
from domain.periodic_work import refresh_task
from domain.ports import UnitsOfWork
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.github import GitHub
from domain.services.oauth_client import OAuthClient
from tests.sandbox_server import SandboxServer

REDIRECT_URI: Final = "http://127.0.0.1/oauth/callback/github"
LIFE: Final = timedelta(hours=8)


class OAuthLinks:
    """One client of its own at the sandbox, and one person who allows it everything."""

    def __init__(
        self,
        sandbox: SandboxServer,
        units: UnitsOfWork,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        client: OAuthClient | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._units = units
        self._vault = vault
        self._clock = clock
        self._login = f"octo-{uuid.uuid4().hex[:8]}"
        self.client = client or new_client()

    async def register(self, **lifetimes: object) -> None:
        """Before anything else. `access_lifetime_seconds=None`: its tokens don't end, and can't be refreshed."""
        await self._sandbox.put_client(
            "github",
            self.client.client_id,
            secret=self.client.client_secret.reveal(),
            redirect_uris=[REDIRECT_URI],
            **lifetimes,
        )
        account = {"id": 583_000, "login": self._login, "name": "Octo"}
        await self._sandbox.put_token(f"person-{self._login}", service="github", account=account)

    def service(self, http: HttpClient) -> GitHub:
        return GitHub(http, self._sandbox.github_api_url, self._sandbox.github_url, self._clock, client=self.client)

    async def link(
        self, service: GitHub, organization_id: UUID, name: str = "Linked", *, ends_in: timedelta = timedelta(minutes=2)
    ) -> ServiceConnection:
        """An active connection whose access token is about to end, with the task of refreshing it."""
        grant, now = await self.grant(service), self._clock()
        connection = _connection(organization_id, name, self._login, self._clock)
        account = connection.external_account
        assert account is not None
        credential = self._vault.create(connection, grant, Identity(account, ("repo",)), now)
        credential.expires_at, credential.rotated_at = now + ends_in, now + ends_in - LIFE
        async with self._units.writing(organization_id) as unit:
            await unit.connections.add(connection)
            await unit.credentials.add(credential)
            following = refresh_task(credential, lambda: 0.5)
            if following is not None:
                await unit.tasks.put(following)
            await unit.commit()
        return connection

    async def grant(self, service: GitHub) -> Grant:
        """What the service gives when the person agrees."""
        authorization = service.authorization
        assert authorization is not None
        method = AuthorizationMethod.OAUTH2
        request = AuthorizationRequest(method, Secret(uuid.uuid4().hex), None, REDIRECT_URI, ["repo"])
        query = await self._sandbox.browse(authorization.address(request), login=self._login, decision="allow")
        grant = await authorization.exchange(AuthorizationReturn(method, query, None, REDIRECT_URI))
        assert isinstance(grant, Grant), grant
        return grant

    async def credential(self, connection: ServiceConnection) -> ServiceCredential:
        async with self._units.reading(connection.organization_id) as unit:
            credential = await unit.credentials.find(connection.id)
        assert credential is not None
        return credential

    async def secret(self, connection: ServiceConnection) -> OAuthSecret:
        opened = self._vault.open(await self.credential(connection))
        assert isinstance(opened, OAuthSecret)
        return opened

    async def stored(self, connection: ServiceConnection) -> ServiceConnection:
        async with self._units.reading(connection.organization_id) as unit:
            found = await unit.connections.find(connection.id)
        assert found is not None
        return found


def new_client() -> OAuthClient:
    return OAuthClient(f"client-{uuid.uuid4()}", Secret(uuid.uuid4().hex))


def _connection(organization_id: UUID, name: str, login: str, clock: Callable[[], datetime]) -> ServiceConnection:
    connection = ServiceConnection.create(
        id=new_id(),
        organization_id=organization_id,
        service="github",
        name=name,
        labels={},
        settings={},
        required_scopes=(),
        created_by=None,
        now=clock(),
    )
    connection.status = ConnectionStatus.ACTIVE
    connection.external_account = ExternalAccount("583000", login)
    return connection
