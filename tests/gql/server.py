"""Tether as clients meet it: the real application behind a real server, with the sandbox as GitHub and Slack.

Used by every test in this folder. Several can run on one database, as several processes do.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

import httpx2
import uvicorn
from sqlalchemy import Executable, select

from domain.entities.user import Role
from domain.tracing import Tracing
from gql.bootstrap import Tether, running
from gql.commands.serve import prepare_listener, server_config
from gql.http.application import RequestFrame, create_application
from gql.limit_settings import Limits
from gql.sample import find_founder
from gql.settings import Settings
from persistence.tables import metadata
from tests.every_row import every_row
from tests.gql.client import Client
from tests.gql.web_socket import Followed, Socket, open_socket
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

_numbers = itertools.count(1)


@dataclass(slots=True)
class TetherServer:
    """A running Tether: `tether` are its parts, `sandbox` the services that it knows."""

    url: str
    tether: Tether
    sandbox: SandboxServer
    http: httpx2.AsyncClient
    _tokens: dict[tuple[str, str, Role], str] = field(default_factory=dict, repr=False)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://") + "/graphql"

    async def token(self, organization: str = "acme", email: str = "ada@acme.example", role: Role = Role.OWNER) -> str:
        """An API key of a member with that role; the organization and the person are made where they are missing."""
        wanted = (organization, email, role)
        if wanted not in self._tokens:
            self._tokens[wanted] = (await self.tether.user_service.issue_api_key(*wanted)).reveal()
        return self._tokens[wanted]

    def client(self, token: str | None = None) -> Client:
        return Client(self.http, token)

    async def member(self, role: Role = Role.OWNER, organization: str = "acme") -> Client:
        """A client that acts as a person of that role, each role's another."""
        return self.client(await self.token(organization, f"{role.lower()}@{organization}.example", role))

    async def organization_id(self, slug: str = "acme") -> str:
        async with self.tether.units_of_work.reading_everywhere() as unit:
            organization = await unit.organizations.find_by_slug(slug)
        assert organization is not None
        return f"org_{organization.id}"

    async def credential(self, service: Literal["github", "slack"] = "github", **behaviour: Any) -> str:
        """A token of its own at the sandbox, for `credential: {token: {token: …}}`."""
        name = f"sandbox-{service}-made-{next(_numbers)}"
        await self.sandbox.put_token(name, service=service, **behaviour)
        return name

    async def connect(self, client: Client, *, selection: str = "id version", **members: Any) -> Any:
        """A new connection to GitHub, or what else the members say; what is selected of it."""
        token = members.pop("token", None) or await self.credential(members.get("service", "github"))
        given = {
            "organizationId": await self.organization_id(),
            "service": "github",
            "credential": {"token": {"token": token}},
            **members,
        }
        payload = await client.mutate("createConnection", f"connection {{ {selection} }}", **given)
        assert payload["userErrors"] == []
        return payload["connection"]

    async def creation_error(self, client: Client, token: str, **members: Any) -> dict[str, Any]:
        """The one user error of a connection that isn't created."""
        given = {
            "organizationId": await self.organization_id(),
            "service": "github",
            "credential": {"token": {"token": token}},
            **members,
        }
        return await client.user_error("createConnection", **given)

    @asynccontextmanager
    async def socket(self, token: str | None) -> AsyncIterator[Socket]:
        """A socket on which the protocol has begun, as the holder of the token."""
        async with open_socket(self.ws_url) as opened:
            await opened.init(None if token is None else {"authorization": f"Bearer {token}"})
            yield opened

    @asynccontextmanager
    async def subscribe(self, client: Client, query: str, **variables: Any) -> AsyncIterator[Followed]:
        """An operation on a socket of its own."""
        async with self.socket(client.token) as opened:
            yield await opened.subscribe(query, **variables)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, as they are stored."""
        async with every_row(self.tether.database) as connection:
            return [dict(row) for row in (await connection.execute(select(metadata.tables[table]))).mappings()]

    async def alter(self, *statements: Executable) -> None:
        """Change what is stored, as nobody but a test would."""
        async with every_row(self.tether.database) as connection:
            for statement in statements:
                await connection.execute(statement)


@asynccontextmanager
async def running_tether(
    database_url: str,
    sandbox: SandboxServer,
    encryption_key: str,
    tracing: Tracing | None = None,
    /,
    **variables: str,
) -> AsyncIterator[TetherServer]:
    """Open it all on a migrated database, and listen on a port of this machine. `variables` set or replace settings."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings.from_environment(
        {
            "TETHER_ENVIRONMENT": "development",
            "TETHER_DATABASE_URL": database_url,
            "TETHER_ENCRYPTION_KEY": encryption_key,
            "TETHER_GITHUB_URL": sandbox.github_url,
            "TETHER_GITHUB_API_URL": sandbox.github_api_url,
            "TETHER_SLACK_URL": sandbox.slack_url,
            "TETHER_SLACK_API_URL": sandbox.slack_api_url,
            "TETHER_GITLAB_URL": sandbox.gitlab_url,
            "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
            "TETHER_PUBLIC_URL": url,
            **variables,
        }
    )
    with closing(listener):
        async with running(settings, tracing=tracing) as opened:
            tether = replace(opened, sample_founder=await find_founder(opened))
            async with (
                _serving(create_application(tether), settings.limits, listener),
                httpx2.AsyncClient(base_url=url, trust_env=False, verify=NO_TLS, timeout=30) as http,
            ):
                yield TetherServer(url, tether, sandbox, http)


@asynccontextmanager
async def _serving(application: RequestFrame, limits: Limits, listener: socket.socket) -> AsyncIterator[None]:
    prepare_listener(listener, limits)
    server = _Server(server_config(application, limits))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.listening.wait()
        yield
    finally:
        application.drain()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def uuid_of(typed_id: str) -> UUID:
    """The bare UUID in an id that clients see."""
    return UUID(typed_id.partition("_")[2])
