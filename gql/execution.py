"""The executor: where a resolver answers with a Reference, a document is read in one statement and spliced in.

Given to Strawberry as its execution context class by `gql/schema.py`. Everything else is executed the ordinary way.
"""

from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationType,
    is_non_null_type,
    located_error,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from orjson import Fragment
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from domain.errors import Forbidden
from gql.context import Context
from gql.patience import patiently
from gql.selection import nodes_below, selection_of
from persistence.documents.refusals import Refusal
from persistence.documents.roots import Reference


def document(reference: Reference | None) -> Any:
    """What a resolver returns to have a document read: for the type checker, anything at all."""
    return reference


class DocumentExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, which can splice. The context value is a `Context`."""

    @classmethod
    def build(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        root_value: Any = None,
        context_value: Any = None,
        *rest: Any,
        **named: Any,
    ) -> Any:
        context: Context = context_value
        named["hide_suggestions"] = not context.suggests
        built = super().build(schema, document, root_value, context, *rest, **named)
        if isinstance(built, DocumentExecutor) and built._follows and context.time_limit is not None:
            context.time_limit.reschedule(None)
        return built

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        if result.__class__ is Reference:
            return self._document(result, return_type, field_details_list, path)
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    async def _document(
        self, reference: Reference, return_type: GraphQLOutputType, field_details: FieldDetailsList, path: Path
    ) -> Fragment | None:
        context: Context = self.context_value
        operation = context.operations.running(self.operation, self.schema)
        read = partial(
            context.documents.read,
            reference,
            plan_key=(operation.serial, tuple(path.as_list()), operation.shape(self.variable_values.coerced)),
            selection=lambda: selection_of(self, return_type, field_details),
            variables=self.variable_values,
            viewer=context.viewer,
        )
        read_document = await (patiently(read) if self._follows else read())
        if read_document is not None:
            for refusal in read_document.refusals:
                self._refuse(refusal, return_type, field_details, path)
            return Fragment(read_document.text)
        if is_non_null_type(return_type):
            raise Forbidden("This is no longer yours to see.")
        return None

    @property
    def _follows(self) -> bool:
        return self.operation.operation is OperationType.SUBSCRIPTION

    def _refuse(
        self, refusal: Refusal, return_type: GraphQLOutputType, field_details: FieldDetailsList, path: Path
    ) -> None:
        """Answer with an error for a field of a document, beside the null that stands there."""
        nodes = nodes_below(self, return_type, field_details, refusal.place)
        for key in refusal.place:
            path = path.add_key(key)
        self.collected_errors.add(located_error(refusal.error, nodes, path.as_list()), path)
