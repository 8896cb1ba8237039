"""Shapes and schema say the same: every field of a stored type is a column, link or list, and the reverse."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_non_null_type,
)

from gql.schema import build_schema
from persistence.documents import shapes
from persistence.documents.compiler import Written
from persistence.documents.fields import (
    Catalogued,
    Computed,
    Embedded,
    InRowBeside,
    Link,
    Member,
    Moment,
    Number,
    Probes,
    Raw,
    Shape,
    Text,
    Truth,
    TypedId,
    Word,
)
from persistence.documents.gaps import LeftOpen
from persistence.documents.health_series import Series
from persistence.documents.latency_percentiles import Latency
from persistence.documents.pages import Page
from persistence.documents.roles import ForRole, ForRoleOfRow
from persistence.documents.roots import NODES
from persistence.probe_column import PROBE_MEMBERS
from persistence.tables import metadata
from tests.documents.slow_evaluator import plain_schema

_SUMMARY = {  # counted, not stored
    "ConnectionSummary",
    "StatusCount",
    "HealthCount",
    "ServiceCount",
    "ConnectionImpact",
}
_NOT_STORED = {
    *("CommandAvailability", "ConnectionAvailability", "AvailabilityReason"),
    *("CommandSelection", "CommandRunnerUp", "RefusedCommand"),
}  # worked out anew for each question
_CATALOGUE = {"Service", "ServiceIncident", "ServiceScope", "Command", "CommandTarget"}  # code
_ROOTS = {"Query"}
_OF_THE_OPERATION = {"RateLimit"}
# columns that may be null where the schema says non-null: others of the same row are null together with them
_TOGETHER = {
    "status_reason_code": "status_reason_message",
    "account_id": "account_name",
    "status_to": "status_from",
    "error_code": "error_message",
    "error_remedy": "error_remedy",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return plain_schema(build_schema().as_str())


def _parts(
    type_name: str, fields: Mapping[str, Written], table: str
) -> Iterator[tuple[str, str, Mapping[str, Written]]]:
    """The type and those embedded in its rows, each with the table that its columns are of."""
    yield type_name, table, fields
    for field in fields.values():
        if isinstance(field, Embedded):
            yield from _parts(field.type_name, field.fields, table)


def _stored() -> dict[tuple[str, str], Mapping[str, Written]]:
    """The fields of each stored type, by its name and table; all are reached from the viewer."""
    found: dict[tuple[str, str], Mapping[str, Written]] = {}
    waiting: list[tuple[Shape, str]] = [(shapes.VIEWER, "")]
    while waiting:
        shape, table = waiting.pop()
        for type_name, of, fields in _parts(shape.type_name, shape.fields, table):
            if (type_name, of) in found:
                continue
            found[type_name, of] = fields
            for field in map(_for_all, fields.values()):
                if isinstance(field, Link | Page):
                    below = field.shape()
                    assert isinstance(below, Shape)
                    waiting.append((below, field.table))
    return found


def _for_all(written: Written) -> Written:
    """A field, whoever may read it."""
    return written.written if isinstance(written, ForRole) else written


_STORED = _stored()


@pytest.mark.parametrize(("type_name", "table"), _STORED)
def test_each_field_of_a_stored_type_is_written_and_the_reverse(
    schema: GraphQLSchema, type_name: str, table: str
) -> None:
    type_ = schema.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    assert set(_STORED[type_name, table]) == set(type_.fields)
    for name, definition in type_.fields.items():
        _check(schema, _STORED[type_name, table][name], definition, table)


def _check(schema: GraphQLSchema, written: Written, definition: GraphQLField, table: str) -> None:
    """Whether what is written is of the field's type, and null only where that may be."""
    named = get_named_type(definition.type).name
    non_null = is_non_null_type(definition.type)
    match written:
        case Link():
            assert named == written.shape().type_name
            assert written.absent is not non_null or table == ""  # who asks exists
        case Embedded():
            assert named == written.type_name
            assert (written.absent is None) is non_null
        case ForRole() | ForRoleOfRow():
            assert not non_null, "whose role is too small is answered null"
            _check(schema, written.written, definition, table)
        case Page():
            page = schema.type_map[f"{written.name}Connection"]
            assert isinstance(page, GraphQLObjectType)
            assert named == page.name
            assert get_named_type(page.fields["nodes"].type).name == written.shape().type_name
            assert {"first", "after", "last", "before"} <= set(definition.args)
        case Probes():
            assert named == written.type_name
            assert is_list_type(get_nullable_type(definition.type))
            probe = schema.type_map[named]
            assert isinstance(probe, GraphQLObjectType)
            assert set(written.fields) == set(probe.fields)
            columns = {one.column for one in written.fields.values() if isinstance(one, Text | Word | Number | Raw)}
            assert columns == set(PROBE_MEMBERS)
            assert not metadata.tables[table].c[written.column].nullable
        case InRowBeside():
            _check(schema, written.written, definition, "connection_health")
        case TypedId() | Text() | Moment() | Number() | Truth() | Raw() | Word():
            column = metadata.tables[table].c[written.column]
            default = isinstance(written, Raw) and written.otherwise != "null"
            if non_null and not default and written.column not in {*_TOGETHER, *_TOGETHER.values()}:
                assert not column.nullable, column
            if isinstance(written, Word):
                assert written.absent is column.nullable or written.column in {*_TOGETHER, *_TOGETHER.values()}
        case Latency() | Series():
            assert named == written.type_name
            type_ = schema.type_map[named]
            assert isinstance(type_, GraphQLObjectType)
            assert set(written.fields) == set(type_.fields)
            assert is_list_type(get_nullable_type(definition.type)) is non_null is isinstance(written, Series)
        case Member():
            assert not metadata.tables[table].c[written.column].nullable
            assert written.present is non_null
        case Catalogued():
            assert named == written.type_name
        case LeftOpen():
            assert table == "organizations"
        case _:
            assert isinstance(written, Computed)


def test_every_type_that_can_be_read_is_stored_counted_or_code(schema: GraphQLSchema) -> None:
    """Query's own fields aside, which roots write."""
    reached: set[str] = set()
    waiting: list[GraphQLNamedType | None] = [schema.query_type, *_found_by_id(schema)]
    while waiting:
        type_ = waiting.pop()
        if not isinstance(type_, GraphQLObjectType) or type_.name in reached:
            continue
        reached.add(type_.name)
        waiting.extend(get_named_type(field.type) for field in type_.fields.values())
    probes = {one.type_name for fields in _STORED.values() for one in fields.values() if isinstance(one, Probes)}
    pages = {one.name for fields in _STORED.values() for one in map(_for_all, fields.values()) if isinstance(one, Page)}
    of_pages = {f"{name}{part}" for name in pages for part in ("Connection", "Edge")} | {"PageInfo"}
    stored = {type_name for type_name, _ in _STORED}
    over_time = {"LatencyPercentiles", "HealthSeriesPoint"}
    assert (
        reached
        == stored | probes | over_time | of_pages | _SUMMARY | _CATALOGUE | _NOT_STORED | _ROOTS | _OF_THE_OPERATION
    )


def test_everything_that_has_an_id_is_found_by_it(schema: GraphQLSchema) -> None:
    assert {kind.value for kind in NODES} == {
        *("conn", "org", "repo", "cred", "chk", "evt", "run", "user", "key", "inv", "aud")
    }
    stored = {type_name for type_name, _ in _STORED}
    assert {type_.name for type_ in _found_by_id(schema)} <= stored
    assert len(_found_by_id(schema)) == len(NODES)


def _found_by_id(schema: GraphQLSchema) -> Sequence[GraphQLObjectType]:
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    return schema.get_possible_types(node)
