"""The GraphQL view: operations by POST, sockets and streams for subscriptions, GraphiQL for browsers; all at /graphql.

An ASGI application, mounted by `gql/http/application.py`. Answers are JSON, except for GraphiQL's page and streams.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from domain.errors import BadUserInput, DomainError, ServiceUnavailable
from gql.bootstrap import Tether
from gql.context import Context
from gql.errors import NO_SUCH_OPERATION, took_too_long
from gql.feed_place import FeedPlace
from gql.http.accepted_media import EVENT_STREAM, JSON, RESPONSE_JSON, AcceptedMedia
from gql.http.browser_access import BrowserAccess
from gql.http.client import client_network
from gql.http.graphiql import GraphiQL
from gql.http.graphql_answer import answer, failed, refused
from gql.http.graphql_request import GraphQLRequest, Refusal
from gql.http.graphql_socket import GraphQLSockets
from gql.http.open_streams import OpenStreams
from gql.http.own_pages import CSRF_HEADER, CSRF_REFUSED, CsrfRefused
from gql.http.socket_conversation import SocketParts
from gql.http.stream_framing import FRAMINGS
from gql.http.streamed_operation import STOPPING, StreamedOperation, StreamTimes
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
        self._draining = asyncio.Event()
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
        await response(scope, receive, send)

    def drain(self) -> None:
        """End the streams that are open, since the server is being stopped."""
        self._draining.set()

    async def _answer(self, request: Request) -> Response | StreamedOperation:
        try:
            if request.method == "POST":
                return await self._post(request)
            if request.method in {"GET", "HEAD"}:
                return await self._get(request)
            raise Refusal(405, _METHODS, headers={"Allow": "GET, POST"})
        except Refusal as refusal:
            if not refusal.noted:
                self._refusals.note("%s for %s /graphql (HTTP %d)", refusal.code, request.method, refusal.status)
            accepted = AcceptedMedia.of(request.headers.get("accept", ""))
            return refused(refusal, request.scope["state"]["request_id"], _form_of_failure(accepted))

    async def _get(self, request: Request) -> Response | StreamedOperation:
        """GraphiQL's page for whoever takes a page, and queries where the operator lets them go by GET."""
        if _prefers_html(request):
            return await self._graphiql.page(request)
        if not self._queries_by_get or request.method == "HEAD":
            raise Refusal(405, _METHODS, headers={"Allow": "POST"})
        if request.headers.get(CSRF_HEADER) != "1":
            raise Refusal(403, _GET_NEEDS_HEADER, CSRF_REFUSED)
        accepted = _accepted(request)
        return await self._operation(request, GraphQLRequest.of_address(request), accepted, by_get=True)

    async def _post(self, request: Request) -> Response | StreamedOperation:
        accepted = _accepted(request)
        return await self._operation(request, await GraphQLRequest.read(request, self._limits), accepted)

    async def _operation(
        self, request: Request, asked: GraphQLRequest, accepted: AcceptedMedia, *, by_get: bool = False
    ) -> Response | StreamedOperation:
        context = self._context()
        proof = self._proof(request)
        try:
            with ExitStack() as held:
                held.enter_context(self._operations.watching(asked.query, asked.operation_name))
                try:
                    result = await self._run(asked, context, proof, _BY_GET if by_get else _BY_POST)
                except InvalidOperationTypeError:
                    if by_get:
                        raise NotByGet("Only queries go by GET. Send this by POST.") from None
                    if accepted.stream is None:
                        raise BadUserInput(_NO_SUBSCRIPTION) from None
                    return await self._stream(request, asked, context, accepted.stream, held)
        except NotByGet as wrong:
            raise Refusal(405, wrong.message, headers={"Allow": "POST"}, noted=True) from None
        except BadUserInput as wrong:
            raise Refusal(400, wrong.message, noted=True) from None
        except DomainError as error:
            return failed(error, context.request_id, _form_of_failure(accepted))
        return answer(result, accepted)

    async def _stream(
        self, request: Request, asked: GraphQLRequest, context: Context, form: str, held: ExitStack
    ) -> StreamedOperation:
        """A subscription's, which takes over what is held for the operation."""
        if self._draining.is_set():
            raise ServiceUnavailable(STOPPING)
        viewer = context.known_viewer
        caller = client_network(request) or None if viewer is None else viewer.user_id
        held.enter_context(held.enter_context(self.streams.open(caller)).operation())
        held.enter_context(self._tether.metrics.open_stream())
        results = await self._schema.stream(
            asked.query,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
            context_value=context,
        )
        return StreamedOperation(
            cast("AsyncGenerator[ExecutionResult]", results),  # of no other kind, without incremental delivery
            FRAMINGS[form],
            held=held.pop_all(),
            proof=context.proof,
            place=FeedPlace(resume_after=request.headers.get("last-event-id") or None),
            times=StreamTimes(self._limits.stream_quiet_seconds, self._limits.socket_unread_seconds),
            draining=self._draining,
            request_id=context.request_id,
        )

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
            raise took_too_long(self._limits.request_seconds) from None
        except CannotGetOperationTypeError:
            raise BadUserInput(NO_SUCH_OPERATION) from None

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
            commands=tether.commands,
            authorization_flows=tether.authorization_flows,
            users=tether.user_service,
            budgets=tether.operation_budgets,
            preflight=tether.preflight,
            selections=tether.selections,
            public_url=tether.settings.public_url,
            limits=self._limits,
            strangers_may_introspect=development,
            suggests=development,
        )


class NotByGet(BadUserInput):
    """A mutation or a subscription whose address was merely opened."""


def _accepted(request: Request) -> AcceptedMedia:
    """The forms of the answer that the client takes. Raises Refusal where there is none of them."""
    accepted = AcceptedMedia.of(request.headers.get("accept", ""))
    if accepted.json is None and accepted.stream is None:
        raise Refusal(406, f"Answers are {RESPONSE_JSON} or {JSON}: name one of them in the header Accept.")
    return accepted


def _form_of_failure(accepted: AcceptedMedia) -> str:
    """Whoever takes nothing but streams, or nothing at all, goes by the status."""
    return accepted.json or RESPONSE_JSON


def _prefers_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


_METHODS: Final = "Send operations by POST. A browser gets GraphiQL by GET."
_GET_NEEDS_HEADER: Final = (
    f"A query by GET needs the header {CSRF_HEADER}: 1, so that no other site's page can send it unasked."
)
_NO_SUBSCRIPTION: Final = (
    "A subscription is answered again and again: connect here by WebSocket (graphql-transport-ws), or send "
    f"Accept: {EVENT_STREAM}."
)
