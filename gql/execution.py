"""The executor: where a resolver answers with a Reference, a document is read in one statement and spliced in.

Given to Strawberry as its execution context class by `gql/schema.py`. Everything else is executed the ordinary way:
also the gaps of a document, which are fields that SQL can't say.
"""

from collections.abc import Sequence
from functools import partial
from inspect import isawaitable
from typing import Any
from uuid import UUID

import orjson
from graphql import (
    DocumentNode,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationType,
    is_non_null_type,
    is_object_type,
    located_error,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from orjson import Fragment
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from domain.errors import Forbidden
from gql.context import Context
from gql.patience import patiently
from gql.projection import Places, Projected, Projection, json_of
from gql.selection import details_below, nodes_below, selection_of
from persistence.documents import roots
from persistence.documents.gaps import Gap, fill
from persistence.documents.reader import Document
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
        if result.__class__ is Projected:
            return self._projected(result, return_type, field_details_list, path)
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    async def _document(
        self, reference: Reference, return_type: GraphQLOutputType, field_details: FieldDetailsList, path: Path
    ) -> Fragment | None:
        document = await self._read(reference, return_type, field_details, tuple(path.as_list()))
        if document is not None:
            return Fragment(await self._finished(document, return_type, field_details, path))
        if is_non_null_type(return_type):
            raise Forbidden("This is no longer yours to see.")
        return None

    async def _projected(
        self, projected: Projected, return_type: GraphQLOutputType, field_details: FieldDetailsList, path: Path
    ) -> Fragment:
        """Objects that are no documents, with the connections in them, which are."""
        projection = Projection(self.variable_values)
        value = projection.of(projected.value, selection_of(self, return_type, field_details))
        for places in projection.places:
            await self._show_connections(places, return_type, field_details, path)
        return Fragment(json_of(value))

    async def _show_connections(
        self, places: Places, return_type: GraphQLOutputType, field_details: FieldDetailsList, path: Path
    ) -> None:
        """Put connections where they are waited for; they are read in one statement."""
        details = details_below(self, return_type, field_details, places.first)
        type_ = self.schema.get_type("ServiceConnection")
        if not is_object_type(type_):
            raise AssertionError("connections are objects")
        for key in places.first:
            path = path.add_key(key)
        place = (_OBJECTS, *(key for key in path.as_list() if isinstance(key, str)))
        document = await self._read(roots.connections(list(places.waiting)), type_, details, place)
        text = None if document is None else await self._finished(document, type_, details, path, pairs=2)
        found = {UUID(id_): connection for id_, connection in orjson.loads(text or "[]")}
        for connection_id, setters in places.waiting.items():
            if connection_id not in found:  # it was deleted meanwhile
                raise Forbidden("This is no longer yours to see.")
            for set_ in setters:
                set_(found[connection_id])

    async def _read(
        self, reference: Reference, return_type: GraphQLOutputType, field_details: FieldDetailsList, place: Any
    ) -> Document | None:
        """`place`: which of the operation's documents it is."""
        context: Context = self.context_value
        operation = context.operations.running(self.operation, self.schema)
        read = partial(
            context.documents.read,
            reference,
            plan_key=(operation.serial, place, operation.shape(self.variable_values.coerced)),
            selection=lambda: selection_of(self, return_type, field_details),
            variables=self.variable_values,
            viewer=context.viewer,
        )
        return await (patiently(read) if self._follows else read())

    async def _finished(
        self,
        document: Document,
        return_type: GraphQLOutputType,
        field_details: FieldDetailsList,
        path: Path,
        *,
        pairs: int = 0,
    ) -> str:
        """Its text, after telling what is refused in it and filling its gaps. `pairs`: how deep in it objects begin."""
        for refusal in document.refusals:
            self._refuse(refusal, return_type, field_details, path, refusal.place[pairs:])
        if not document.gaps:
            return document.text
        values = [await self._value(gap, return_type, field_details, path, gap.place[pairs:]) for gap in document.gaps]
        return fill(document.text, values)

    async def _value(
        self,
        gap: Gap,
        return_type: GraphQLOutputType,
        field_details: FieldDetailsList,
        path: Path,
        place: Sequence[str | int],
    ) -> str:
        """JSON text of a field that is resolved the ordinary way, for the organization that the document is of."""
        organization = self.schema.get_type("Organization")
        if not is_object_type(organization):
            raise AssertionError("gaps are an organization's")
        details = details_below(self, return_type, field_details, place)
        for key in place:
            path = path.add_key(key)
        value = self.execute_field(organization, gap.organization_id, details, path, None)
        return orjson.dumps(await value if isawaitable(value) else value).decode()

    @property
    def _follows(self) -> bool:
        return self.operation.operation is OperationType.SUBSCRIPTION

    def _refuse(
        self,
        refusal: Refusal,
        return_type: GraphQLOutputType,
        field_details: FieldDetailsList,
        path: Path,
        place: Sequence[str | int],
    ) -> None:
        """Answer with an error for a field of a document, beside the null that stands there."""
        nodes = nodes_below(self, return_type, field_details, place)
        for key in place:
            path = path.add_key(key)
        self.collected_errors.add(located_error(refusal.error, nodes, path.as_list()), path)


_OBJECTS = "objects"
