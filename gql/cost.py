"""The cost of an operation: how many fields its answer can have, each weighed, worked out before anything is read.

`cost_of` is called once for each operation that is found valid, by `schema.py`; what it gives is a function of the
operation's variables, which is all that every further request needs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)

from gql.cost_sizes import Arguments, Size, Sizes, Variables, argument_of
from gql.cost_weights import MUTATION, PAGE, PLAIN, TOTAL_COUNT, WEIGHTS, Weight

Condition = Callable[[Variables], bool]
_Asked = tuple[SelectionSetNode, tuple[Condition, ...]]
"""What is selected, and which @skip and @include it stands below."""


class Part:
    """A field with all that is selected from it: `points`, and for each of `size` objects what its members cost.

    Where an object may be of several types, `members` has one Part a type, of which the dearest counts.
    """

    __slots__ = ("_alternatives", "_fixed", "_present", "_varying", "constant", "key", "members", "points", "size")

    def __init__(
        self,
        key: str,
        points: int,
        size: Size = 1,
        members: Sequence["Part"] = (),
        *,
        present: Condition | None = None,
        alternatives: bool = False,
    ) -> None:
        self.key = key
        self.points = points
        self.size = size
        self.members = members
        self._present = present
        self._alternatives = alternatives
        constants = [part.constant for part in members if part.constant is not None]
        self._fixed = (max(constants, default=0)) if alternatives else sum(constants)
        self._varying = [part for part in members if part.constant is None]
        self.constant: int | None = None
        if present is None and isinstance(size, int) and not self._varying:
            self.constant = points + size * self._fixed

    def of(self, variables: Variables) -> int:
        """What it costs with these variables."""
        if self.constant is not None:
            return self.constant
        if self._present is not None and not self._present(variables):
            return 0
        each = self._fixed
        if self._alternatives:
            for part in self._varying:
                each = max(each, part.of(variables))
        else:
            for part in self._varying:
                each += part.of(variables)
        size = self.size
        return self.points + (size if isinstance(size, int) else size(variables)) * each

    def dearest(self, variables: Variables) -> tuple[str, int]:
        """The field that most of the cost is for, with what is selected from it: its place, and how much it is."""
        place: list[str] = []
        part, times, found = self, 1, self.of(variables)
        while part.members:
            size = part.size if isinstance(part.size, int) else part.size(variables)
            next_part = max(part.members, key=lambda each: each.of(variables))
            within = times * size * next_part.of(variables)
            if place and (2 * within < found or not next_part.members):
                break
            part, times, found = next_part, times * size, within
            place.append(part.key)
        return ".".join(key for key in place if key), found


def cost_of(
    definition: OperationDefinitionNode,
    document: DocumentNode,
    schema: GraphQLSchema,
    sizes: Sizes,
) -> Part:
    """The cost of one operation of a valid document."""
    root = schema.get_root_type(definition.operation)
    if root is None:
        raise AssertionError("a validated operation is of a kind that the schema has")
    return Part(
        "", 0, 1, _Weighing(definition, document, schema, sizes).members(root, [(definition.selection_set, ())])
    )


class _Weighing:
    """Weighs one operation."""

    def __init__(
        self, definition: OperationDefinitionNode, document: DocumentNode, schema: GraphQLSchema, sizes: Sizes
    ) -> None:
        self._schema = schema
        self._sizes = sizes
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._variables = {each.variable.name.value: each for each in definition.variable_definitions or ()}

    def members(self, type_: GraphQLObjectType, asked: Sequence[_Asked], page_size: Size | None = None) -> list[Part]:
        """The fields that are asked of an object; those with the same key are one. `page_size`: if it is a page."""
        found: dict[str, list[tuple[FieldNode, tuple[Condition, ...]]]] = {}
        for selections, conditions in asked:
            self._collect(type_, selections, conditions, found)
        return [self._field(type_, key, nodes, page_size) for key, nodes in found.items()]

    def _field(
        self,
        type_: GraphQLObjectType,
        key: str,
        nodes: Sequence[tuple[FieldNode, tuple[Condition, ...]]],
        page_size: Size | None,
    ) -> Part:
        name = nodes[0][0].name.value
        definition = self._schema.get_field(type_, name)
        if definition is None:
            raise AssertionError("a validated operation selects fields that exist")
        named = get_named_type(definition.type)
        arguments = self._arguments(nodes[0][0]) if definition.args else {}
        is_page = "first" in definition.args and "last" in definition.args
        weight = self._weight(type_, name, is_page=is_page, in_page=page_size is not None)
        present = _any_of([conditions for _, conditions in nodes])
        if weight.whole:
            return Part(key, weight.points, present=present)
        if page_size is not None and name in _ITEMS:
            size = page_size
        else:
            size = 1 if is_page else self._sizes.of_list(f"{type_.name}.{name}", arguments, weight.items)
        inner_size = self._sizes.of_page(arguments) if is_page else None
        # Where a field is asked for in one place only, what it stands below is in `present` already.
        asked = [
            (node.selection_set, conditions if len(nodes) > 1 else ())
            for node, conditions in nodes
            if node.selection_set is not None
        ]
        if is_abstract_type(named):
            possible = self._schema.get_possible_types(named)
            kinds = [Part("", 0, 1, self.members(each, asked)) for each in possible]
            return Part(key, weight.points, size, kinds, present=present, alternatives=True)
        below = self.members(named, asked, inner_size) if is_object_type(named) else []
        return Part(key, weight.points, size, below, present=present)

    def _weight(self, type_: GraphQLObjectType, name: str, *, is_page: bool, in_page: bool) -> Weight:
        weight = WEIGHTS.get(f"{type_.name}.{name}")
        if weight is not None:
            return weight
        if in_page and name == "totalCount":
            return TOTAL_COUNT
        return PAGE if is_page else MUTATION if type_ is self._schema.mutation_type else PLAIN

    def _collect(
        self,
        type_: GraphQLObjectType,
        selections: SelectionSetNode,
        conditions: tuple[Condition, ...],
        found: dict[str, list[tuple[FieldNode, tuple[Condition, ...]]]],
    ) -> None:
        for selection in selections.selections:
            within = self._conditions(selection.directives)
            if within is None:
                continue
            within = (*conditions, *within)
            if isinstance(selection, FieldNode):
                found.setdefault((selection.alias or selection.name).value, []).append((selection, within))
            elif isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments[selection.name.value]
                if self._is_of(type_, fragment.type_condition.name.value):
                    self._collect(type_, fragment.selection_set, within, found)
            elif isinstance(selection, InlineFragmentNode) and (
                selection.type_condition is None or self._is_of(type_, selection.type_condition.name.value)
            ):
                self._collect(type_, selection.selection_set, within, found)

    def _is_of(self, type_: GraphQLObjectType, condition: str) -> bool:
        wanted = self._schema.type_map[condition]
        return wanted is type_ or (is_abstract_type(wanted) and self._schema.is_sub_type(wanted, type_))

    def _conditions(self, directives: Iterable[DirectiveNode] | None) -> tuple[Condition, ...] | None:
        """What @skip and @include depend on; None where they leave it out whatever the variables are."""
        conditions: list[Condition] = []
        for directive in directives or ():
            if directive.name.value not in _WANTED:
                continue
            wanted = _WANTED[directive.name.value]
            given = argument_of(directive, "if", self._variables)
            if given.variable is not None:
                conditions.append(lambda variables, given=given, wanted=wanted: given.of(variables) is wanted)  # type: ignore[misc]
            elif given.value is not wanted:
                return None
        return tuple(conditions)

    def _arguments(self, node: FieldNode) -> Arguments:
        return {each.name.value: argument_of(node, each.name.value, self._variables) for each in node.arguments or ()}


def _any_of(ways: Sequence[tuple[Condition, ...]]) -> Condition | None:
    """Whether a field is asked for in any of its places; None where it always is."""
    if not all(ways):
        return None
    if len(ways) == 1 and len(ways[0]) == 1:
        return ways[0][0]
    return lambda variables: any(all(condition(variables) for condition in way) for way in ways)


_ITEMS: Final = ("nodes", "edges")
_WANTED: Final[Mapping[str, bool]] = {"include": True, "skip": False}
