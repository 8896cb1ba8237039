"""Documents that together reach every field of every type, each from one of the roots. Generated from the schema.

A type that can't be reached, or a field with a required argument for which there is no value, fails the generation: so
that whoever adds a field adds what it takes to ask for it. Used by this folder.
"""

import json
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_input_object_type,
    is_required_argument,
)

from tests.documents.generator import NOT_STORED
from tests.documents.values import Values
from tests.documents.world_maker import NOW

PAGE_SIZE: Final = 20
_SINCE: Final = (NOW - timedelta(days=60)).isoformat()
FIELDS_OF_ROOTS: Final = {
    "organization": ["organization(by: {id: $id})", "organization(by: {slug: $id})"],
    "node": ["node(id: $id)"],
    "nodes": ["nodes(ids: [$id])"],
    "viewer": ["viewer"],
    "services": ["services"],
    "rateLimit": ["rateLimit"],
}
"""Each field of Query, in the ways in which it is asked; a new one needs a line here."""
TYPES_OF_IDS: Final = {"organization(by: {slug: $id})": "String!"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object type."""

    type_name: str
    name: str


@dataclass(frozen=True, slots=True)
class Reaching:
    """A query that asks, from a root and an object there, for all fields of a type. Its variable is the object's id."""

    root: str
    entry: str
    type_name: str
    text: str
    fields: frozenset[Field]

    @property
    def asks_by_id(self) -> bool:
        return "$id" in self.root

    def __str__(self) -> str:
        return f"{self.root} → {self.entry} → {self.type_name}"


class DocumentWalk:
    """Walks one schema, with values for its arguments."""

    def __init__(self, schema: GraphQLSchema, values: Values) -> None:
        self.schema = schema
        self._values = values
        self._chance = random.Random(0)  # noqa: S311 - draws, not secrets

    def documents(self) -> Iterator[Reaching]:
        """For each way to ask a root, one for every type that can be reached from it."""
        query = self.schema.query_type
        assert query is not None
        assert set(query.fields) == set(FIELDS_OF_ROOTS), "a root has no case"
        for name, ways in FIELDS_OF_ROOTS.items():
            entries = self._entries(get_named_type(query.fields[name].type))
            for way in ways:
                yield from self._from(way, query.fields[name], entries)

    def all_fields(self) -> set[Field]:
        """Every field of every object type but the roots'."""
        roots = {self.schema.query_type, self.schema.mutation_type, self.schema.subscription_type}
        return {
            Field(type_.name, name)
            for type_ in self.schema.type_map.values()
            if isinstance(type_, GraphQLObjectType) and type_ not in roots and not type_.name.startswith("__")
            for name in type_.fields
        }

    def whole(
        self,
        type_: GraphQLObjectType | GraphQLInterfaceType,
        depth: int = 1,
        prefix: str = "",
        shared: Collection[str] = (),
    ) -> tuple[str, frozenset[Field]]:
        """A selection of all fields of a type, with all of theirs down to a depth; what is below stays unasked.

        With a prefix they have aliases, but for those `shared`: members of an interface may have fields of one name and
        of several types.
        """
        fields: set[Field] = set()
        written = ["__typename"]
        if isinstance(type_, GraphQLInterfaceType):
            for one in self.schema.get_possible_types(type_):
                selection, more = self.whole(one, depth, f"{one.name}_", type_.fields)
                written.append(f"... on {one.name} {selection}")
                fields |= more
            return "{ " + " ".join(written) + " }", frozenset(fields)
        for name, definition in type_.fields.items():
            inner = get_named_type(definition.type)
            fields.add(Field(type_.name, name))
            asked = f"{prefix}{name}: " if prefix and name not in shared else ""
            asked += f"{name}{self._arguments(definition)}"
            if isinstance(inner, GraphQLObjectType | GraphQLInterfaceType):
                selection, more = self.whole(inner, depth - 1) if depth else ("{ __typename }", frozenset())
                fields |= more
                asked += f" {selection}"
            written.append(asked)
        return "{ " + " ".join(written) + " }", frozenset(fields)

    def _entries(self, type_: Any) -> list[GraphQLObjectType]:
        return list(self.schema.get_possible_types(type_)) if isinstance(type_, GraphQLInterfaceType) else [type_]

    def _from(self, way: str, definition: GraphQLField, entries: list[GraphQLObjectType]) -> Iterator[Reaching]:
        declared = f"($id: {TYPES_OF_IDS.get(way, 'ID!')})" if "$id" in way else ""
        is_interface = isinstance(get_named_type(definition.type), GraphQLInterfaceType)
        for type_name, (entry, path) in self._paths(entries).items():
            type_ = self.schema.type_map[type_name]
            assert isinstance(type_, GraphQLObjectType)
            inner, fields = self.whole(type_, depth=0)
            for name, field in reversed(path):
                inner = f"{{ {name}{self._arguments(field)} {inner} }}"
            if is_interface:
                inner = f"{{ ... on {entry.name} {inner} }}"
            yield Reaching(way, entry.name, type_name, f"query{declared} {{ {way} {inner} }}", fields)

    def _paths(
        self, entries: list[GraphQLObjectType]
    ) -> dict[str, tuple[GraphQLObjectType, list[tuple[str, GraphQLField]]]]:
        """The shortest way to each type, through objects only, and stored ones wherever they lead there."""
        found: dict[str, tuple[GraphQLObjectType, list[tuple[str, GraphQLField]]]] = {
            entry.name: (entry, []) for entry in entries
        }
        for without in (NOT_STORED, set[str]()):
            at = list(found)
            while at:
                name = at.pop(0)
                entry, path = found[name]
                type_ = self.schema.type_map[name]
                assert isinstance(type_, GraphQLObjectType)
                for field, definition in type_.fields.items():
                    inner = get_named_type(definition.type)
                    if f"{name}.{field}" in without or not isinstance(inner, GraphQLObjectType) or inner.name in found:
                        continue
                    found[inner.name] = (entry, [*path, (field, definition)])
                    at.append(inner.name)
        return found

    def _arguments(self, definition: GraphQLField) -> str:
        given = {
            name: self._literal(name, argument.type)
            for name, argument in definition.args.items()
            if is_required_argument(argument)
        }
        if "first" in definition.args:
            given["first"] = str(PAGE_SIZE)
        return f"({', '.join(f'{name}: {value}' for name, value in given.items())})" if given else ""

    def _literal(self, name: str, type_: GraphQLInputType) -> str:
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(inner, GraphQLEnumType):
            return "DAY" if "DAY" in inner.values else next(iter(inner.values))
        if isinstance(inner, GraphQLInputObjectType):
            if inner.name == "CommandSelectionInput":  # which needs one of three that are optional
                return '{commandId: "github.read_file"}'
            needed = {key: one.type for key, one in inner.fields.items() if isinstance(one.type, GraphQLNonNull)}
            return "{" + ", ".join(f"{key}: {self._literal(key, one)}" for key, one in needed.items()) + "}"
        return json.dumps(_SINCE if name == "since" else self._values.draw(name, self._chance))


def arguments_of_ids(schema: GraphQLSchema) -> set[str]:
    """Every argument and member of an input by which an object may be named: of the type ID, or a cursor."""
    found: set[str] = set()

    def look(place: str, arguments: Mapping[str, Any]) -> None:
        for name, argument in arguments.items():
            named = get_named_type(argument.type)
            if named.name == "ID" or name in ("after", "before"):
                found.add(f"{place}.{name}")

    for type_ in schema.type_map.values():
        if type_.name.startswith("__"):
            continue
        if is_input_object_type(type_):
            look(type_.name, type_.fields)
        elif isinstance(type_, GraphQLObjectType):
            for name, definition in type_.fields.items():
                look(f"{type_.name}.{name}", definition.args)
    return found
