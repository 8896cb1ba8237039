"""The schema: Query, Mutation and Subscription, run by the document executor, with every error made public here.

Built once by the composition root. For sockets it overrides two private methods of Strawberry, whose version is pinned
for that; tests/gql/test_schema.py shows that both are still called.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
)
from graphql import ExecutionResult as GraphQLResult
from strawberry.exceptions import MissingQueryError
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.utils.operation import get_operation_type

from domain.errors import DomainError
from gql.admission import Admission
from gql.charge import charged
from gql.context import Context
from gql.cost import cost_of
from gql.cost_sizes import Sizes
from gql.errors import public_error
from gql.execution import DocumentExecutor
from gql.limit_settings import DEFAULT_LIMITS, Limits
from gql.limits import oversize
from gql.mutations import Mutation
from gql.operations import KnownOperation, OperationCache
from gql.persisted_queries import NO_PERSISTED_QUERIES, FoundDocument, PersistedQueries
from gql.queries import Query
from gql.shared_types import SharedTypesSchema
from gql.subscriptions import Subscription
from gql.types.audit import AuditRecord
from gql.types.command_run import CommandRun
from gql.types.credential import ServiceCredential
from gql.types.event import ConnectionEvent
from gql.types.health import HealthCheck
from gql.types.people import ApiKey, Invitation, User
from gql.types.scalars import SCALARS
from gql.user_errors import USER_ERRORS
from gql.validation import errors_in
from gql.watched_operations import note_error, note_known
from persistence.statement_watch import end_statement_limit


def build_schema(
    limits: Limits = DEFAULT_LIMITS,
    persisted_queries: PersistedQueries = NO_PERSISTED_QUERIES,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> "TetherSchema":
    """The whole schema, with an empty cache of operations."""
    return TetherSchema(
        limits,
        persisted_queries,
        clock,
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            User,
            Invitation,
            ApiKey,
            ServiceCredential,
            HealthCheck,
            ConnectionEvent,
            CommandRun,
            AuditRecord,
            *USER_ERRORS,
        ],
        execution_context_class=DocumentExecutor,
        config=_CONFIG,
    )


_CONFIG: Final = StrawberryConfig(scalar_map=SCALARS)


class TetherSchema(SharedTypesSchema):
    """Strawberry's schema, which parses and validates an operation once, and shows clients only public errors."""

    def __init__(
        self, limits: Limits, persisted_queries: PersistedQueries, clock: Callable[[], datetime], **parts: Any
    ) -> None:
        super().__init__(**parts)
        _mark_one_ofs(self._schema)
        self._limits = limits
        self._persisted_queries = persisted_queries
        self._sizes = Sizes(limits, clock)
        self._admission = Admission(limits)
        self.operations = OperationCache()

    def validated(self, text: str) -> DocumentNode:
        """The document, within the limits and valid. Raises GraphQLError for the first thing that is wrong."""
        document = _parsed(text, self._limits)
        for error in errors_in(document, self._schema, suggests=True):
            raise error
        return document

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run a query or a mutation, without what Strawberry puts around it for extensions, of which there are none."""
        result: Any
        try:
            allowed = allowed_operation_types or tuple(OperationType)
            known = await self._admitted(query, operation_name, variable_values, context_value, allowed)
            result = known
            if isinstance(known, KnownOperation):
                result = execute(
                    self._schema,
                    known.document,
                    root_value=root_value,
                    context_value=context_value,
                    variable_values=variable_values,
                    operation_name=operation_name,
                    executor_class=self.execution_context_class,
                    is_awaitable=_is_awaitable,
                )
                if not isinstance(result, GraphQLResult):
                    result = await result
                result = ExecutionResult(result.data, result.errors)
        except (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is masked, and logged with the request's id
            result = PreExecutionError(None, [GraphQLError(str(error), original_error=error)])
        return self._public(result, context_value)

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: Any
    ) -> PreExecutionError | None:
        """What Strawberry asks for before it runs an operation on a socket."""
        known = await self._admitted(
            context.query,
            context._provided_operation_name,
            context.variables,
            context.context,
            context.allowed_operations,
        )
        if isinstance(known, PreExecutionError):
            return known
        context.graphql_document = known.document
        return None

    async def _admitted(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any] | None,
        context: Context,
        allowed: Iterable[OperationType],
    ) -> KnownOperation | PreExecutionError:
        """Find the document; parse and validate it, unless that was done before; and charge the caller for it."""
        if query is None:
            raise MissingQueryError
        try:
            found = await self._persisted_queries.find(query, name, self.operations)
        except DomainError as refused:
            return PreExecutionError(None, [GraphQLError(refused.message, original_error=refused)])
        known = self.operations.known(found.key, name)
        if known is None:
            unread = None if found.trusted else await self._admission.reading_refusal(found.text, context)
            if unread is not None:
                return PreExecutionError(None, [unread])
            try:
                checked = self._checked(found, name, allowed, suggests=context.suggests)
            except GraphQLError as error:
                return PreExecutionError(None, [error])
            if isinstance(checked, PreExecutionError):
                return checked
            known = checked
        elif known.kind not in allowed:
            raise InvalidOperationTypeError(known.kind)
        note_known(known)
        refusal = await self._admission.refusal(known, variables, context)
        return known if refusal is None else PreExecutionError(None, [refusal])

    def _checked(
        self, found: FoundDocument, name: str | None, allowed: Iterable[OperationType], *, suggests: bool
    ) -> KnownOperation | PreExecutionError:
        """Raises GraphQLError for a text that is no document, or is too large."""
        if not found.text.strip():
            raise MissingQueryError
        document = parse(found.text) if found.trusted else _parsed(found.text, self._limits)
        try:
            kind = get_operation_type(document, name)
        except RuntimeError as error:
            raise CannotGetOperationTypeError(name) from error
        if kind not in allowed:
            raise InvalidOperationTypeError(kind)
        if errors := errors_in(document, self._schema, suggests=suggests):
            return PreExecutionError(None, _outdated(errors) if found.trusted else errors)
        to_run = get_operation_ast(document, name)
        if to_run is None:
            return PreExecutionError(None, [_ambiguous(document)])
        cost = cost_of(to_run, document, self._schema, self._sizes)
        return self.operations.add(found.text, found.key, name, document, to_run, cost)

    async def _handle_execution_result(self, context: ExecutionContext, result: Any, *args: Any, **kwargs: Any) -> Any:
        """What Strawberry asks for with each result on a socket."""
        handled = await super()._handle_execution_result(context, result, *args, **kwargs)
        return self._public(handled, context.context, before_execution=isinstance(result, PreExecutionError))

    def _public(
        self, result: ExecutionResult, context: Context, *, before_execution: bool | None = None
    ) -> ExecutionResult:
        """With what it has cost, and errors as clients may see them."""
        end_statement_limit()
        if (charge := charged.get()) is not None:
            result.extensions = {**(result.extensions or {}), "cost": charge.extension()}
        if result.errors:
            before = isinstance(result, PreExecutionError) if before_execution is None else before_execution
            request_id = context.request_id
            result.errors = [public_error(error, request_id, before_execution=before) for error in result.errors]
            note_error(result.errors[0])
        return result

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: `public_error` logs what needs to be logged, without the client's own mistakes."""


_is_awaitable = cast("Callable[[Any], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable)


def _mark_one_ofs(schema: GraphQLSchema) -> None:
    """Tell GraphQL which inputs are @oneOf; Strawberry's own rule for them breaks on variables of fragments."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            type_.is_one_of = type_.extensions["strawberry-definition"].is_one_of


def _parsed(text: str, limits: Limits) -> DocumentNode:
    """The document, if it is of a size that can be validated. Raises GraphQLError."""
    if len(text) > limits.characters:
        raise GraphQLError(f"An operation has at most {limits.characters:,} characters; this has {len(text):,}.")
    document = parse(text, max_tokens=limits.tokens)
    if (error := oversize(document, limits)) is not None:
        raise error
    return document


def _outdated(errors: list[GraphQLError]) -> list[GraphQLError]:
    """Of a document that was valid when it was published."""
    words = "This document was published for another version of the schema"
    return [GraphQLError(f"{words}: {error.message}", error.nodes) for error in errors]


def _ambiguous(document: DocumentNode) -> GraphQLError:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return GraphQLError("Say by operationName which of these operations is to run.", operations)
