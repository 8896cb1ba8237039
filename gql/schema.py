"""The schema: Query, Mutation and Subscription, run by the document executor, with every error made public here.

Built once by the composition root. It overrides two private methods of Strawberry, whose version is pinned for that;
tests/gql/test_schema.py shows that both are still called.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, get_operation_ast, parse
from strawberry.exceptions import MissingQueryError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import PreExecutionError

from gql.admission import Admission
from gql.charge import charged
from gql.cost import cost_of
from gql.cost_sizes import Sizes
from gql.errors import public_error
from gql.execution import DocumentExecutor
from gql.limit_settings import DEFAULT_LIMITS, Limits
from gql.limits import oversize
from gql.mutations import Mutation
from gql.operations import OperationCache
from gql.queries import Query
from gql.shared_types import SharedTypesSchema
from gql.subscriptions import Subscription
from gql.types.audit import AuditRecord
from gql.types.credential import ServiceCredential
from gql.types.event import ConnectionEvent
from gql.types.health import HealthCheck
from gql.types.people import ApiKey, Invitation, User
from gql.types.scalars import SCALARS
from gql.user_errors import USER_ERRORS
from gql.validation import errors_in
from gql.watched_operations import note_error


def build_schema(
    limits: Limits = DEFAULT_LIMITS, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> "TetherSchema":
    """The whole schema, with an empty cache of operations."""
    return TetherSchema(
        limits,
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
            AuditRecord,
            *USER_ERRORS,
        ],
        execution_context_class=DocumentExecutor,
        config=_CONFIG,
    )


_CONFIG: Final = StrawberryConfig(scalar_map=SCALARS)


class TetherSchema(SharedTypesSchema):
    """Strawberry's schema, which parses and validates an operation once, and shows clients only public errors."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime], **parts: Any) -> None:
        super().__init__(**parts)
        self._limits = limits
        self._sizes = Sizes(limits, clock)
        self._admission = Admission(limits)
        self.operations = OperationCache()

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: Any
    ) -> PreExecutionError | None:
        """Parse and validate, unless the same operation has been found valid before."""
        text, name = context.query, context._provided_operation_name
        if text is not None and (known := self.operations.known(text, name)) is not None:
            context.graphql_document = known.document
            if context.operation_type not in context.allowed_operations:
                raise InvalidOperationTypeError(context.operation_type)
            refusal = await self._admission.refusal(known, context.variables, context.context)
            return None if refusal is None else PreExecutionError(data=None, errors=[refusal])
        if text is None or not text.strip():
            raise MissingQueryError
        if (refusal := await self._admission.reading_refusal(text, context.context)) is not None:
            return PreExecutionError(data=None, errors=[refusal])
        try:
            context.graphql_document = document = _parsed(text, self._limits)
        except GraphQLError as error:
            return PreExecutionError(data=None, errors=[error])
        # Strawberry validates nothing that has been found valid or invalid already.
        context.pre_execution_errors = errors_in(document, self._schema, suggests=context.context.suggests)
        invalid = await super()._prepare_operation_async(context, extensions_runner)
        if invalid is not None:
            return invalid
        to_run = get_operation_ast(document, name)
        if to_run is None:
            return PreExecutionError(data=None, errors=[_ambiguous(context)])
        cost = cost_of(to_run, document, self._schema, self._sizes)
        known = self.operations.add(text, name, document, to_run, cost)
        refusal = await self._admission.refusal(known, context.variables, context.context)
        return None if refusal is None else PreExecutionError(data=None, errors=[refusal])

    async def _handle_execution_result(self, context: ExecutionContext, result: Any, *args: Any, **kwargs: Any) -> Any:
        before_execution = isinstance(result, PreExecutionError)
        if (charge := charged.get()) is not None:
            context.extensions_results["cost"] = charge.extension()
        handled = await super()._handle_execution_result(context, result, *args, **kwargs)
        if handled.errors:
            request_id = context.context.request_id
            handled.errors = [
                public_error(error, request_id, before_execution=before_execution) for error in handled.errors
            ]
            note_error(handled.errors[0])
        return handled

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: `public_error` logs what needs to be logged, without the client's own mistakes."""


def _parsed(text: str, limits: Limits) -> DocumentNode:
    """The document, if it is of a size that can be validated. Raises GraphQLError."""
    if len(text) > limits.characters:
        raise GraphQLError(f"An operation has at most {limits.characters:,} characters; this has {len(text):,}.")
    document = parse(text, max_tokens=limits.tokens)
    if (error := oversize(document, limits)) is not None:
        raise error
    return document


def _ambiguous(context: ExecutionContext) -> GraphQLError:
    document = context.graphql_document
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)] if document else []
    return GraphQLError("Say by operationName which of these operations is to run.", operations)
