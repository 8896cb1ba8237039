"""The GraphQL view: operations by POST, subscriptions by WebSocket, GraphiQL for browsers; all at /graphql.

An ASGI application, mounted by `gql/http/application.py`. Every answer but GraphiQL's page is JSON.
"""

import asyncio
from typing import Any, Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from domain.errors import BadUserInput, ServiceUnavailable, Unauthenticated
from gql.bootstrap import Tether
from gql.context import Context
from gql.errors import NO_SUCH_OPERATION, request_error
from gql.http.browser_access import BrowserAccess
from gql.http.graphiql import GraphiQL
from gql.http.graphql_request import GraphQLRequest, Refusal
from gql.http.graphql_socket import GraphQLSockets
from gql.http.own_pages import CSRF_REFUSED, CsrfRefused
from gql.proof import Proof
from gql.schema import TetherSchema
from gql.settings import Environment
from gql.watched_operations import WatchedOperations
from persistence.event_reader import EventReader

JSON: Final = "application/json"
RESPONSE_JSON: Final = "application/graphql-response+json"

_BY_POST: Final = (OperationType.QUERY, OperationType.MUTATION)


class GraphQLView:
    """Serves one schema with the parts of a running Tether."""

    def __init__(self, schema: TetherSchema, tether: Tether, access: BrowserAccess, graphiql: GraphiQL) -> None:
        self._schema = schema
        self._callers = access.callers
        self._tether = tether
        self._limits = tether.settings.limits
        self._graphiql = graphiql
        self._events = EventReader(tether.database)
        self._operations = WatchedOperations(schema.operations, tether.metrics, tether.observation.tracing)
        self._sockets = GraphQLSockets(
            schema,
            self._socket_context,
            access.callers,
            access.own_pages.origin,
            self._operations,
            tether.metrics,
            self._limits,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if request.method == "POST":
                return await self._post(request)
            if request.method in {"GET", "HEAD"} and _prefers_html(request):
                return await self._graphiql.page(request)
            raise Refusal(405, "Send operations by POST. A browser gets GraphiQL by GET.")
        except Refusal as refusal:
            return _refused(refusal, request)

    async def _post(self, request: Request) -> Response:
        media_type = _media_type(request)
        asked = await GraphQLRequest.read(request, self._limits)
        context = self._context(request)
        proof = self._proof(request)
        try:
            with self._operations.watching(asked.query, asked.operation_name):
                result = await self._run(asked, context, proof)
        except Unauthenticated as refused:
            return _failed(refused.code, refused.message, context, media_type)
        except ServiceUnavailable as unavailable:
            return _failed(unavailable.code, unavailable.message, context, media_type)
        except BadUserInput as refused:
            raise Refusal(400, refused.message) from None
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        never_ran = isinstance(result, PreExecutionError) or (result.data is None and _before_any_field(result))
        if never_ran:
            del body["data"]
        return _json(body, media_type, 400 if never_ran and media_type == RESPONSE_JSON else 200)

    def _proof(self, request: Request) -> Proof | None:
        try:
            return self._callers.of_request(request)
        except CsrfRefused as refused:
            raise Refusal(403, refused.message, CSRF_REFUSED) from None

    async def _run(self, asked: GraphQLRequest, context: Context, proof: Proof | None) -> ExecutionResult:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await context.authenticate(proof)
                context.admit()
                return await self._schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    operation_name=asked.operation_name,
                    context_value=context,
                    allowed_operation_types=_BY_POST,
                )
        except TimeoutError:
            message = f"This took longer than {self._limits.request_seconds} s and was given up. Ask for less at once."
            raise ServiceUnavailable(message) from None
        except CannotGetOperationTypeError:
            raise BadUserInput(NO_SUCH_OPERATION) from None
        except InvalidOperationTypeError:
            message = "Subscriptions need a WebSocket: connect here by graphql-transport-ws."
            raise BadUserInput(message) from None

    def _context(self, connection: HTTPConnection) -> Context:
        tether = self._tether
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
            strangers_may_introspect=tether.settings.environment is Environment.DEVELOPMENT,
        )

    async def _socket_context(self, connection: HTTPConnection) -> Context:
        context = self._context(connection)
        context.proof = self._callers.of_socket(connection)
        return context


def _before_any_field(result: Any) -> bool:
    """Whether the errors are of the request, such as of its variables, rather than of a field."""
    return all(error.path is None for error in result.errors or ())


def _media_type(request: Request) -> str:
    """The form of the answer that the client prefers. Raises Refusal where it takes none that there is."""
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    for media_type in accepted:
        if media_type == RESPONSE_JSON:
            return RESPONSE_JSON
        if media_type in {JSON, "application/*", "*/*", ""}:
            return JSON
    raise Refusal(406, f"Answers are {RESPONSE_JSON} or {JSON}: name one of them in the header Accept.")


def _prefers_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _failed(code: str, message: str, context: Context, media_type: str) -> Response:
    """An operation that wasn't run, in the form of its answer."""
    status = 200 if media_type == JSON else 503 if code == ServiceUnavailable.code else 401
    response = _json({"errors": [request_error(code, message, context.request_id)]}, media_type, status)
    if status == 503:
        response.headers["Retry-After"] = "5"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _refused(refusal: Refusal, request: Request) -> Response:
    request_id = request.scope["state"]["request_id"]
    response = _json({"errors": [request_error(refusal.code, refusal.message, request_id)]}, JSON, refusal.status)
    if refusal.status == 405:
        response.headers["Allow"] = "GET, POST"
    return response


def _json(body: dict[str, Any], media_type: str, status: int) -> Response:
    response = Response(orjson.dumps(body), status, media_type=f"{media_type}; charset=utf-8")
    response.headers["Vary"] = "Accept"
    return response
