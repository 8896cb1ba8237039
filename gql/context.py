"""Context: what one operation runs with, namely who asks and the services that answer. Made by the view.

Each operation has its own, also on a WebSocket, so that nothing of one is found by the next.
"""

import asyncio
from dataclasses import dataclass

import strawberry

from domain.authorization_flows import AuthorizationFlows
from domain.command_preflight import CommandPreflight
from domain.command_runs import CommandRuns
from domain.command_selection import CommandSelections
from domain.entities.user import Viewer
from domain.errors import Unauthenticated
from domain.log_context import logged_context
from domain.operation_budgets import OperationBudgets
from domain.repository_manager import RepositoryManager
from domain.service_board import ServiceBoard
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.catalogue import ServiceCatalogue
from domain.user_service import UNAUTHENTICATED, UserService
from gql.limit_settings import DEFAULT_LIMITS, Limits
from gql.operations import OperationCache
from gql.proof import Proof
from persistence.documents.reader import DocumentReader
from persistence.event_feed import EventFeed
from persistence.event_reader import EventReader


@dataclass(slots=True)
class Context:
    """`proof` is how the caller has shown who they are; `known_viewer` who that is, once the proof was asked.

    `time_limit` is what runs it is held to, unless it is a subscription, which lasts. `suggests`: whether a name that
    doesn't exist is answered with those that are like it. `has_paid_text`: the caller has paid for reading it.
    """

    operations: OperationCache
    documents: DocumentReader
    events: EventReader
    feed: EventFeed
    catalogue: ServiceCatalogue
    board: ServiceBoard
    manager: ServiceConnectionManager
    repositories: RepositoryManager
    commands: CommandRuns
    authorization_flows: AuthorizationFlows
    users: UserService
    budgets: OperationBudgets
    preflight: CommandPreflight
    selections: CommandSelections
    public_url: str
    limits: Limits = DEFAULT_LIMITS
    strangers_may_introspect: bool = False
    suggests: bool = False
    proof: Proof | None = None
    known_viewer: Viewer | None = None
    time_limit: asyncio.Timeout | None = None
    has_paid_text: bool = False

    @property
    def request_id(self) -> str:
        """Of the operation that asks for it: what the log says beside each of its lines."""
        return logged_context().get("request_id", "")

    @property
    def viewer(self) -> Viewer:
        """Who asks. Raises Unauthenticated for nobody."""
        return self.require_viewer()

    def require_viewer(self) -> Viewer:
        """The same, for where it only matters that somebody is there."""
        if self.known_viewer is None:
            raise Unauthenticated(UNAUTHENTICATED)
        return self.known_viewer

    async def authenticate(self, proof: Proof | None) -> None:
        """Note who it is that has sent this. Raises Unauthenticated where it proves nothing, or no longer."""
        if proof is not None:
            self.known_viewer = await proof.viewer()
            self.proof = proof

    def admit(self) -> None:
        """Let an operation go on to be parsed. Raises Unauthenticated for a stranger, unless they may introspect."""
        if not self.strangers_may_introspect:
            self.require_viewer()

    async def authenticate_again(self) -> None:
        """Make sure that the proof is still good: sockets outlive keys and sessions. Raises Unauthenticated."""
        if self.proof is None:
            raise Unauthenticated(UNAUTHENTICATED)
        self.known_viewer = await self.proof.viewer(counts_as_use=False)


Info = strawberry.Info[Context, None]
