"""Reading: the read path of one database, put together by hand, at a moment that stands still. Used by this folder.

What it sends to the database is counted at the driver.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from domain.address_guard import OutboundAllow
from domain.authorization_flows import AuthorizationFlows
from domain.call_budgets import CallBudgets
from domain.command_admission import CommandAdmission
from domain.command_chooser import WordChooser
from domain.command_preflight import CommandPreflight
from domain.command_runs import CommandRuns
from domain.command_selection import CommandSelections
from domain.connection_checks import ConnectionChecks
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.operation_budget import OperationAllowance
from domain.entities.user import Viewer
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider, generate_key, parse_key
from domain.operation_budgets import OperationBudgets
from domain.repository_manager import RepositoryManager
from domain.repository_sync import RepositorySync
from domain.service_board import ServiceBoard
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.oauth_client import OAuthClient
from domain.services.slack import Slack
from domain.user_service import UserService
from gql.context import Context
from gql.proof import Proof
from gql.schema import TetherSchema, build_schema
from gql.types.service import ServiceDocuments
from persistence.connection_state_reader import ConnectionStateReader
from persistence.database import Database
from persistence.documents.reader import DocumentReader
from persistence.event_feed import EventFeed
from persistence.event_reader import EventReader
from persistence.unit_of_work import SqlUnitsOfWork
from tests.documents.world_maker import NOW

PUBLIC_URL = "https://tether.example"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: the data's very bytes, and the errors."""

    data: bytes
    errors: list[dict[str, Any]]

    @property
    def value(self) -> Any:
        return orjson.loads(self.data)

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of the only error."""
        (error,) = self.errors
        return error["extensions"]["code"], error["message"]


@dataclass(frozen=True, slots=True)
class Reading:
    """`statements` has the text of every statement that reached the database so far."""

    database: Database
    schema: TetherSchema
    documents: DocumentReader
    catalogue: ServiceCatalogue
    statements: list[str]
    _parts: dict[str, Any]

    def context(self, viewer: Viewer, proof: Proof | None = None) -> Context:
        """What an operation of that viewer runs with."""
        return Context(**self._parts, known_viewer=viewer, proof=proof)

    async def answer(self, text: str, viewer: Viewer, variables: Mapping[str, Any] | None = None) -> Answer:
        context = self.context(viewer)
        result = await self.schema.execute(text, variable_values=dict(variables or {}), context_value=context)
        return Answer(orjson.dumps(result.data), [dict(error.formatted) for error in result.errors or ()])

    async def data(self, text: str, viewer: Viewer, variables: Mapping[str, Any] | None = None) -> Any:
        """The data of a query in which nothing fails."""
        answer = await self.answer(text, viewer, variables)
        assert answer.errors == []
        return answer.value


@asynccontextmanager
async def reading(
    database_url: str, *, github_url: str = "https://api.github.example", github_client: OAuthClient | None = None
) -> AsyncIterator[Reading]:
    """The read path of a database, which has one connection."""
    http = HttpClient(allow=OutboundAllow())
    async with _ObservedDatabase(database_url, read_connections=1) as database:
        catalogue = ServiceCatalogue(
            [
                GitHub(http, github_url, "https://github.example", _clock, client=github_client),
                Slack(http, "https://slack.example/api", "https://slack.example", _clock),
            ]
        )
        schema = build_schema(clock=_clock)
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        board = ServiceBoard(units)
        documents = DocumentReader(database, ServiceDocuments(catalogue, PUBLIC_URL, board), _clock)
        feed = EventFeed(database)
        provider = LocalKeyProvider(parse_key(generate_key()).key)
        encryption = CredentialEncryption(KeyRing([KeyRing.generate(provider)], provider))
        vault, health_checks = CredentialVault(encryption), HealthCheckFactory(catalogue, _clock)
        refresher = CredentialRefresher(units, catalogue, vault, _clock)
        manager = ServiceConnectionManager(units, catalogue, health_checks, encryption, refresher, _clock)
        checks = ConnectionChecks(catalogue, health_checks, _clock, lambda: 0.5)
        states = ConnectionStateReader(database)
        preflight = CommandPreflight(states, catalogue, board, _clock)
        parts = {
            "operations": schema.operations,
            "documents": documents,
            "events": EventReader(database),
            "feed": feed,
            "catalogue": catalogue,
            "board": board,
            "manager": manager,
            "commands": CommandRuns(
                units,
                CommandAdmission(catalogue, CallBudgets(units, catalogue, _clock), board, _clock),
                refresher,
                CredentialVault(encryption),
                _clock,
            ),
            "repositories": RepositoryManager(units, RepositorySync(units, catalogue, refresher, _clock), _clock),
            "authorization_flows": AuthorizationFlows(
                units, catalogue, checks, vault, _clock, public_url=PUBLIC_URL, return_to_allowed=()
            ),
            "users": UserService(units, _clock),
            "budgets": OperationBudgets(units, _PLENTY),
            "preflight": preflight,
            "selections": CommandSelections(preflight, states, WordChooser()),
            "public_url": PUBLIC_URL,
        }
        yield Reading(database, schema, documents, catalogue, database.statements, parts)
    await http.aclose()


class _ObservedDatabase(Database):
    """Notes every statement of its driver connections, of which a cancelled statement may end one."""

    def __init__(self, database_url: str, **options: Any) -> None:
        super().__init__(database_url, **options)
        self.statements: list[str] = []
        self._observed: object = None

    @asynccontextmanager
    async def driver_connection(self) -> AsyncIterator[Any]:
        async with super().driver_connection() as connection:
            if connection is not self._observed:
                self._observed = connection
                if self.dialect_name == "postgresql":
                    connection.add_query_logger(lambda record: self.statements.append(record.query))
                else:
                    await connection.set_trace_callback(self.statements.append)
            yield connection


_PLENTY = OperationAllowance(points=10**9, per_minute=10**9)


def _clock() -> Any:
    return NOW
