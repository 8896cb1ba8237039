"""The GraphQL view: operations by POST, subscriptions by WebSocket, GraphiQL for browsers; all at /graphql.

An ASGI application, mounted by `gql/http/application.py`. Every answer but GraphiQL's page is JSON.
"""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from domain.errors import BadUserInput, DomainError, ServiceUnavailable
from gql.bootstrap import Tether
from gql.context import Context
from gql.errors import NO_SUCH_OPERATION
from gql.http.accepted_media import JSON, RESPONSE_JSON, AcceptedMedia
from gql.http.browser_access import BrowserAccess
from gql.http.graphiql import GraphiQL
from gql.http.graphql_answer import answer, failed, refused
from gql.http.graphql_request import GraphQLRequest, Refusal
from gql.http.graphql_socket import GraphQLSockets
from gql.http.open_streams import OpenStreams
from gql.http.own_pages import CSRF_HEADER, CSRF_REFUSED, CsrfRefused
from gql.http.socket_conversation import SocketParts
from gql.proof import Proof
from gql.refusal_log import RefusalLog
from gql.schema import TetherSchema
from gql.settings import Environment
from gql.settings_reader import Switch
from gql.watched_operations import WatchedOperations
from persistence.event_reader import EventReader

_BY_POST: Final = (OperationType.QUERY, OperationType.MUTATION)
_BY_GET: Final = (OperationType.QUERY,)


class GraphQLView:
    """Serves one schema with the parts of a running Tether."""

    def __init__(self, schema: TetherSchema, tether: Tether, access: BrowserAccess, graphiql: GraphiQL) -> None:
        self._schema = schema
        self._callers = access.callers
        self._tether = tether
        self._limits = tether.settings.limits
        self._graphiql = graphiql
        self._queries_by_get = tether.settings.browsers.get_queries is Switch.ON
        self._events = EventReader(tether.database)
        self._refusals = RefusalLog()
        self._operations = WatchedOperations(
            schema.operations, tether.metrics, tether.observation.tracing, self._refusals
        )
        self.streams = OpenStreams(self._limits)
        parts = SocketParts(schema, self._context, access.callers, self._operations, self._limits)
        origins = tether.settings.browsers.cors_origins
        self._sockets = GraphQLSockets(parts, access.own_pages, origins, self.streams, tether.metrics, self._refusals)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive))
        response.headers.add_vary_header("Accept")
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if request.method == "POST":
                return await self._post(request)
            if request.method in {"GET", "HEAD"}:
                return await self._get(request)
            raise Refusal(405, _METHODS, headers={"Allow": "GET, POST"})
        except Refusal as refusal:
            self._refusals.note("%s for %s /graphql (HTTP %d)", refusal.code, request.method, refusal.status)
            accepted = AcceptedMedia.of(request.headers.get("accept", ""))
            return refused(refusal, request.scope["state"]["request_id"], accepted.json or JSON)

    async def _get(self, request: Request) -> Response:
        """GraphiQL's page for whoever takes a page, and queries where the operator lets them go by GET."""
        if _prefers_html(request):
            return await self._graphiql.page(request)
        if not self._queries_by_get or request.method == "HEAD":
            raise Refusal(405, _METHODS, headers={"Allow": "POST"})
        if request.headers.get(CSRF_HEADER) != "1":
            raise Refusal(403, _GET_NEEDS_HEADER, CSRF_REFUSED)
        accepted = _accepted(request)
        return await self._operation(request, GraphQLRequest.of_address(request), accepted, by_get=True)

    async def _post(self, request: Request) -> Response:
        accepted = _accepted(request)
        return await self._operation(request, await GraphQLRequest.read(request, self._limits), accepted)

    async def _operation(
        self, request: Request, asked: GraphQLRequest, accepted: AcceptedMedia, *, by_get: bool = False
    ) -> Response:
        context = self._context()
        proof = self._proof(request)
        media_type = accepted.json or JSON
        try:
            with self._operations.watching(asked.query, asked.operation_name):
                result = await self._run(asked, context, proof, _BY_GET if by_get else _BY_POST)
        except NotByGet as wrong:
            raise Refusal(405, wrong.message, headers={"Allow": "POST"}) from None
        except BadUserInput as wrong:
            raise Refusal(400, wrong.message) from None
        except DomainError as error:
            return failed(error, context.request_id, media_type)
        return answer(result, media_type)

    def _proof(self, request: Request) -> Proof | None:
        try:
            return self._callers.of_request(request)
        except CsrfRefused as wrong:
            raise Refusal(403, wrong.message, CSRF_REFUSED) from None

    async def _run(
        self, asked: GraphQLRequest, context: Context, proof: Proof | None, allowed: tuple[OperationType, ...]
    ) -> ExecutionResult:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await context.authenticate(proof)
                context.admit()
                return await self._schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    operation_name=asked.operation_name,
                    context_value=context,
                    allowed_operation_types=allowed,
                )
        except TimeoutError:
            message = f"This took longer than {self._limits.request_seconds} s and was given up. Ask for less at once."
            raise ServiceUnavailable(message) from None
        except CannotGetOperationTypeError:
            raise BadUserInput(NO_SUCH_OPERATION) from None
        except InvalidOperationTypeError:
            if allowed == _BY_GET:
                raise NotByGet("Only queries go by GET. Send this by POST.") from None
            raise BadUserInput(_NO_SUBSCRIPTION) from None

    def _context(self) -> Context:
        tether, development = self._tether, self._tether.settings.environment is Environment.DEVELOPMENT
        return Context(
            operations=self._schema.operations,
            documents=tether.documents,
            events=self._events,
            feed=tether.feed,
            catalogue=tether.catalogue,
            board=tether.board,
            manager=tether.manager,
            repositories=tether.repositories,
            authorization_flows=tether.authorization_flows,
            users=tether.user_service,
            public_url=tether.settings.public_url,
            strangers_may_introspect=development,
            suggests=development,
        )


class NotByGet(BadUserInput):
    """A mutation or a subscription whose address was merely opened."""


def _accepted(request: Request) -> AcceptedMedia:
    """The forms of the answer that the client takes. Raises Refusal where there is none of them."""
    accepted = AcceptedMedia.of(request.headers.get("accept", ""))
    if accepted.json is None:
        raise Refusal(406, f"Answers are {RESPONSE_JSON} or {JSON}: name one of them in the header Accept.")
    return accepted


def _prefers_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


_METHODS: Final = "Send operations by POST. A browser gets GraphiQL by GET."
_GET_NEEDS_HEADER: Final = (
    f"A query by GET needs the header {CSRF_HEADER}: 1, so that no other site's page can send it unasked."
)
_NO_SUBSCRIPTION: Final = "Subscriptions need a WebSocket: connect here by graphql-transport-ws."
