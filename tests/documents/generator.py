"""Random valid queries over the whole read schema, each from a seed: equal seeds give equal queries.

Used by test_generated_queries.py. A query comes with the values of its variables and with its lists, so that a further
run can go on from the cursors that the first one answered.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_composite_type,
    is_non_null_type,
    is_required_argument,
    parse,
    validate,
)

from gql.limit_settings import Limits
from gql.limits import oversize
from tests.documents.query import List, Query
from tests.documents.values import Values

LIMITS = Limits()
_NAME = "abcdefghijklmnopqrstuvwxyz"
_ROOTS = {"organization": 12, "node": 4, "nodes": 3, "viewer": 3}


def generate(schema: GraphQLSchema, values: Values, seed: int) -> Query:
    """A valid query within the limits. Drafts whose fields can't be merged are thrown away."""
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    while True:
        draft = _Draft(schema, values, chance)
        text = draft.written()
        document = parse(text)
        if oversize(document, LIMITS) is None and not validate(schema, document):
            return Query(text, document, draft.variables, draft.lists)


@dataclass(slots=True)
class _Draft:
    """A query as it is made up. `_left` bounds its fields, so that no answer grows out of bounds."""

    schema: GraphQLSchema
    values: Values
    chance: random.Random
    variables: dict[str, Any] = field(default_factory=dict)
    lists: list[List] = field(default_factory=list)
    _declared: list[str] = field(default_factory=list)
    _fragments: list[str] = field(default_factory=list)
    _left: int = 60
    _aliases: int = 0
    _directives: int = 0

    def written(self) -> str:
        self._left = self.chance.choice([8, 20, 40, 80])
        roots = self.chance.choice([1, 1, 1, 2, 4])
        query = self.schema.query_type
        assert query is not None
        fields_of_roots = [
            name for name in query.fields if name != "rateLimit"
        ]  # which depends on what was asked before
        weights = [_ROOTS.get(name, 1) for name in fields_of_roots]
        names = self.chance.choices(fields_of_roots, weights, k=roots)
        fields = [self._field(query, name, 1, (), 0) for name in names]
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        operation = f"query Made{declared} {{ {' '.join(fields)} }}"
        return "\n".join([operation, *self._fragments])

    def _maybe(self, probability: float) -> bool:
        return self.chance.random() < probability

    def _selection(self, type_: GraphQLNamedType, depth: int, path: tuple[str, ...], inside: int) -> str:
        """A selection set of an object or interface type, at a depth counted from 1 for the root's fields."""
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        parts = [self._field(type_, name, depth, path, inside) for name in self._names(type_, depth)]
        if self._maybe(0.3):
            parts.insert(0, self._aliased("__typename", 0.2) + self._directive())
        if isinstance(type_, GraphQLInterfaceType):
            possible = self.schema.get_possible_types(type_)
            parts += [
                f"... on {one.name}{self._directive()} {self._selection(one, depth, path, inside)}"
                for one in self.chance.sample(list(possible), k=self.chance.randint(1, 4))
            ]
        elif self._maybe(0.25):
            parts.append(self._spread(type_, depth, path, inside))
        self.chance.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _spread(self, type_: GraphQLObjectType, depth: int, path: tuple[str, ...], inside: int) -> str:
        """Some of the type's fields in a fragment: inline or by name, on the type, on Node, or on nothing."""
        node = self.schema.type_map["Node"]
        if node in type_.interfaces and self._maybe(0.4):
            return f"... on Node{self._directive()} {{ id __typename ... on {type_.name} {{ key: id }} }}"
        selection = self._selection(type_, depth, path, inside)
        if self._maybe(0.5):
            on = f" on {type_.name}" if self._maybe(0.6) else ""
            return f"...{on}{self._directive()} {selection}"
        name = f"Part{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {type_.name} {selection}")
        spread = f"...{name}{self._directive()}"
        return f"{spread} ...{name}" if self._maybe(0.2) else spread

    def _names(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> list[str]:
        """Which fields: leaves by chance, objects while there is depth left. Lists are asked for more than the rest."""
        stored = {name: one for name, one in type_.fields.items() if f"{type_.name}.{name}" not in NOT_STORED}
        leaves = [name for name, one in stored.items() if not is_composite_type(get_named_type(one.type))]
        objects = [name for name in stored if name not in leaves]
        names = self.chance.sample(leaves, k=self.chance.randint(0, min(len(leaves), 5)))
        if objects and depth < LIMITS.depth and self._left > 0:
            names += self.chance.sample(objects, k=min(len(objects), self.chance.choice([1, 1, 2, 3])))
        if names and self._maybe(0.1):
            names.append(self.chance.choice(names))  # the same field twice is merged
        return names

    def _field(
        self, type_: GraphQLObjectType | GraphQLInterfaceType, name: str, depth: int, path: tuple[str, ...], inside: int
    ) -> str:
        """A field. `inside` is the number of lists around it."""
        self._left -= 1
        definition = type_.fields[name]
        written = self._aliased(name, 0.5 if definition.args else 0.1)
        key = written.partition(":")[0]
        path = (*path, key)
        result = get_named_type(definition.type)
        is_page = isinstance(result, GraphQLObjectType) and "pageInfo" in result.fields
        walked = is_page and self._maybe(0.6)
        written += self._arguments(name, definition, path if walked else None, inside if is_page else None)
        written += self._directive()
        if not is_composite_type(result):
            return written
        selection = self._selection(result, depth + 1, path, inside + is_page)
        if walked:
            selection = f"{{ edges {{ cursor }} {selection[2:]}"
        return f"{written} {selection}"

    def _aliased(self, name: str, probability: float) -> str:
        if self._aliases >= LIMITS.aliases or not self._maybe(probability):
            return name
        self._aliases += 1
        return f"{self.chance.choice(_NAME)}{self._aliases}: {name}"

    def _directive(self) -> str:
        if self._directives >= LIMITS.directives // 2 or not self._maybe(0.08):
            return ""
        self._directives += 1
        name, stays = self.chance.choice([("include", True), ("skip", False)])
        value = stays if self._maybe(0.7) else not stays
        condition = self._variable("Boolean!", value) if self._booleans() and self._maybe(0.5) else json.dumps(value)
        return f" @{name}(if: {condition})"

    def _booleans(self) -> int:
        """How many more variables of the type Boolean there may be."""
        return LIMITS.boolean_variables - sum(": Boolean" in one for one in self._declared)

    def _variable(self, type_: str, value: Any, default: str = "") -> str:
        """A new variable. A value of Undefined leaves it out of what the client sends."""
        name = f"v{len(self._declared)}"
        self._declared.append(f"${name}: {type_}{default}")
        if value is not Undefined:
            self.variables[name] = value
        return f"${name}"

    def _arguments(
        self, name: str, definition: GraphQLField, walked: tuple[str, ...] | None, inside: int | None
    ) -> str:
        """`walked`: the place of a list that is to go on later. `inside`: how many lists there are around a list."""
        parts: dict[str, str] = {}
        if inside is not None:
            parts |= self._size(inside)
        if walked is not None:
            after, before = (self._variable("String", Undefined) if self._maybe(0.6) else None for _ in range(2))
            parts |= {key: value for key, value in (("after", after), ("before", before)) if value is not None}
            self.lists.append(List(walked, after and after[1:], before and before[1:]))
        for key, argument in definition.args.items():
            if key not in ("first", "last", "after", "before") and (is_required_argument(argument) or self._maybe(0.6)):
                parts[key] = self._argument(key, argument)
            elif key in ("after", "before") and key not in parts and inside is not None and self._maybe(0.1):
                parts[key] = self._absent("String")
        written = list(parts.items())
        self.chance.shuffle(written)
        return f"({', '.join(f'{key}: {value}' for key, value in written)})" if written else ""

    def _size(self, inside: int) -> dict[str, str]:
        """How much of a list: less, the more lists there are around it."""
        largest = (8, 3, 2, 1)[min(inside, 3)]
        if inside == 0 and self._maybe(0.3):
            return {}
        size = self.chance.choice([0, *range(1, largest + 1), largest])
        way, other = self.chance.choice([("first", "last"), ("last", "first")])
        given = str(size) if self._maybe(0.5) else self._variable("Int", size)
        if self._maybe(0.1):
            given = self._variable("Int", Undefined, f" = {size}")
        return {way: given} | ({other: self._absent("Int")} if self._maybe(0.1) else {})

    def _absent(self, type_: str) -> str:
        """Nothing, in one of the ways to say so."""
        return self.chance.choice(["null", self._variable(type_, None), self._variable(type_, Undefined)])

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        if not is_non_null_type(argument.type) and self._maybe(0.1):
            return self._absent(str(argument.type))
        if is_non_null_type(argument.type) and argument.default_value is not Undefined and self._maybe(0.1):
            return self._variable(str(argument.type.of_type), Undefined)
        return self._value(name, argument.type)

    def _value(self, name: str, type_: GraphQLInputType) -> str:
        """A value as a literal or a variable; literals of lists and objects may have variables in them."""
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if self._maybe(0.35) and (inner is not GraphQLBoolean or self._booleans()):
            return self._variable(str(type_), self._plain(name, inner))
        if isinstance(inner, GraphQLInputObjectType):
            return "{" + ", ".join(self._members(inner)) + "}"
        plain = self._plain(name, inner)
        if isinstance(inner, GraphQLList):
            item = inner.of_type
            return (
                "["
                + ", ".join(
                    self._variable(str(item), one) if self._maybe(0.2) else self._literal(item, one) for one in plain
                )
                + "]"
            )
        return self._literal(inner, plain)

    def _members(self, type_: GraphQLInputObjectType) -> Iterator[str]:
        for name in self._chosen(type_):
            one = type_.fields[name].type
            if type_.is_one_of:
                one = GraphQLNonNull(one)
            if not is_non_null_type(one) and self._maybe(0.15):
                yield f"{name}: {self._absent(str(one))}"
            else:
                yield f"{name}: {self._value(name, one)}"

    def _chosen(self, type_: GraphQLInputObjectType) -> list[str]:
        if type_.is_one_of:
            return [self.chance.choice(list(type_.fields))]
        needed = [name for name, one in type_.fields.items() if is_non_null_type(one.type)]
        return needed or self.chance.sample(list(type_.fields), k=self.chance.choice([0, 1, 1, 2]))

    def _plain(self, name: str, type_: GraphQLInputType) -> Any:
        """A value as a variable holds it."""
        if isinstance(type_, GraphQLNonNull):
            return self._plain(name, type_.of_type)
        if isinstance(type_, GraphQLInputObjectType):
            return {one: self._plain(one, type_.fields[one].type) for one in self._chosen(type_)}
        if isinstance(type_, GraphQLList):
            return [self._plain(name, type_.of_type) for _ in range(self.chance.choice([0, 1, 1, 2, 4]))]
        if isinstance(type_, GraphQLEnumType):
            # Of hours there may be so few that most moments would be refused: test_health_history.py asks for them.
            return self.chance.choice([value for value in type_.values if value != "HOUR"])
        return self.values.draw(name, self.chance)

    def _literal(self, type_: GraphQLInputType, value: Any) -> str:
        named = get_named_type(type_)
        if isinstance(named, GraphQLEnumType):
            return str(value)
        if isinstance(value, dict):
            if all(key.isidentifier() and key.isascii() for key in value):
                return "{" + ", ".join(f"{key}: {json.dumps(one)}" for key, one in value.items()) + "}"
            return self._variable(str(type_), value)
        return json.dumps(value, ensure_ascii=self._maybe(0.5))


NOT_STORED = {"Organization.commands", "Organization.commandSelection"}
"""What documents leave open."""
