"""How many objects a list can have, by its arguments: numbers where these are literals, else functions of variables.

Used by `cost.py`. A size that can't be used is refused when the operation runs; here it counts as the largest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from graphql import DirectiveNode, FieldNode, VariableDefinitionNode, VariableNode, value_from_ast_untyped

from domain.command_preflight import CONNECTIONS_SHOWN, MOST_CONNECTIONS_SHOWN
from gql.limit_settings import Limits
from persistence.documents.page_arguments import DEFAULT_PAGE
from persistence.documents.series_buckets import BUCKET_SECONDS, MOST_POINTS, SeriesBucket

Variables = Mapping[str, Any]
Size = int | Callable[[Variables], int]


@dataclass(frozen=True, slots=True)
class Argument:
    """A literal, or the name of a variable with the value that it has where none is given."""

    value: Any = None
    variable: str | None = None

    def of(self, variables: Variables) -> Any:
        return self.value if self.variable is None else variables.get(self.variable, self.value)


Arguments = Mapping[str, Argument]


def argument_of(node: FieldNode | DirectiveNode, name: str, declared: Mapping[str, VariableDefinitionNode]) -> Argument:
    """What a field's or a directive's argument is in an operation that declares these variables."""
    for each in node.arguments or ():
        if each.name.value == name:
            if not isinstance(each.value, VariableNode):
                return Argument(value_from_ast_untyped(each.value))
            default = declared[each.value.name.value].default_value
            return Argument(None if default is None else value_from_ast_untyped(default), each.value.name.value)
    return _NOT_GIVEN


class Sizes:
    """By the limits of one server. `clock` tells until when a series goes."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._limits = limits
        self._clock = clock

    def of_page(self, arguments: Arguments) -> Size:
        """How many objects a page can hold."""
        first, last = arguments.get("first", _NOT_GIVEN), arguments.get("last", _NOT_GIVEN)
        most = self._limits.page_size

        default = min(DEFAULT_PAGE, most)

        def size(variables: Variables) -> int:
            given = first.of(variables)
            if given is None and last is not _NOT_GIVEN:
                given = last.of(variables)
            if given is None:
                return default
            return given if type(given) is int and 0 <= given <= most else most

        return _worked_out(size, first, last)

    def of_list(self, field: str, arguments: Arguments, items: int) -> Size:
        """How many objects are in a list that is no page; `items`, unless its arguments say something else."""
        if field == "Query.nodes":
            return self._of_ids(arguments.get("ids", _NOT_GIVEN))
        if field == "CommandAvailability.connections":
            return self._of_availability(arguments.get("first", _NOT_GIVEN))
        if field == "ConnectionHealth.series":
            return self._of_series(arguments.get("since", _NOT_GIVEN), arguments.get("bucket", _BY_DAY))
        return items

    def _of_ids(self, ids: Argument) -> Size:
        most = self._limits.ids

        def size(variables: Variables) -> int:
            given = ids.of(variables)
            return min(len(given), most) if isinstance(given, list) else 1

        return _worked_out(size, ids)

    def _of_availability(self, first: Argument) -> Size:
        def size(variables: Variables) -> int:
            given = first.of(variables)
            if given is None:
                return CONNECTIONS_SHOWN
            return given if type(given) is int and 0 <= given <= MOST_CONNECTIONS_SHOWN else MOST_CONNECTIONS_SHOWN

        return _worked_out(size, first)

    def _of_series(self, since: Argument, bucket: Argument) -> Size:
        def size(variables: Variables) -> int:
            try:
                by = SeriesBucket(bucket.of(variables))
                seconds = (self._clock() - datetime.fromisoformat(since.of(variables))).total_seconds()
            except (ValueError, TypeError):  # it isn't answered
                return _LONGEST_SERIES
            return max(0, min(MOST_POINTS[by], int(seconds / BUCKET_SECONDS[by]) + 2))  # begun ones at both ends

        return size


def _worked_out(size: Callable[[Variables], int], *arguments: Argument) -> Size:
    """The number itself, where no variable decides on it."""
    return size if any(argument.variable is not None for argument in arguments) else size({})


_NOT_GIVEN: Final = Argument()
_BY_DAY: Final = Argument(SeriesBucket.DAY.value)
_LONGEST_SERIES: Final = max(MOST_POINTS.values())
