"""The schema: exported as it is, described all over, holding what clients were promised, and run as it is meant."""

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
    lexicographic_sort_schema,
)

from domain.entities.trusted_document import id_of_text
from gql import schema as schema_module
from gql.commands import schema as schema_command
from gql.operations import OperationCache
from gql.schema import build_schema as build_ours
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

EXPORTED = Path(__file__).parent.parent.parent / "schema.graphql"
PROMISED = build_schema(Path(__file__).with_name("promised.graphql").read_text("utf-8"))
OURS = build_ours()._schema  # graphql-core's schema, which Strawberry keeps to itself


def test_the_exported_schema_is_the_one_that_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    schema_command.run(argparse.Namespace())

    assert EXPORTED.read_text("utf-8") == capsys.readouterr().out


def test_everything_has_a_description() -> None:
    bare: list[str] = []

    def look(name: str, description: str | None) -> None:
        if not (description or "").strip():
            bare.append(name)

    for type_ in OURS.type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        look(type_.name, type_.description)
        if isinstance(type_, GraphQLEnumType):
            for value_name, value in type_.values.items():
                look(f"{type_.name}.{value_name}", value.description)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in type_.fields.items():
                look(f"{type_.name}.{field_name}", field.description)
                if isinstance(field, GraphQLField):
                    for argument_name, argument in field.args.items():
                        look(f"{type_.name}.{field_name}({argument_name})", argument.description)
    for directive in OURS.directives:
        if not is_specified_directive(directive):
            look(f"@{directive.name}", directive.description)

    assert bare == []
    assert len(OURS.type_map) > 60


def test_what_was_promised_to_clients_is_there_with_its_type() -> None:
    missing: list[str] = []
    for name, promised in lexicographic_sort_schema(PROMISED).type_map.items():
        if is_introspection_type(promised):
            continue
        ours = OURS.type_map.get(name)
        if not isinstance(ours, type(promised)):
            missing.append(name)
        elif isinstance(promised, GraphQLEnumType) and isinstance(ours, GraphQLEnumType):
            missing += [f"{name}.{value}" for value in promised.values if value not in ours.values]
        elif isinstance(promised, GraphQLObjectType | GraphQLInterfaceType) and isinstance(
            ours, GraphQLObjectType | GraphQLInterfaceType
        ):
            missing += [f"{name} implements {each}" for each in _names(promised) - _names(ours)]
            missing += _missing_fields(name, promised.fields, ours.fields)
        elif isinstance(promised, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            missing += [f"{name} @oneOf"] if promised.is_one_of and not _is_one_of(ours) else []
            missing += _missing_inputs(name, promised.fields, ours.fields)
    assert missing == []


def test_nothing_more_is_demanded_of_clients_than_was_promised() -> None:
    """What a later version adds to arguments and inputs may be left out."""
    demanded: list[str] = []
    for name, promised in PROMISED.type_map.items():
        ours = OURS.type_map.get(name)
        if isinstance(promised, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            demanded += [
                f"{name}.{each}" for each, f in ours.fields.items() if each not in promised.fields and _required(f)
            ]
        if isinstance(promised, GraphQLObjectType) and isinstance(ours, GraphQLObjectType):
            for field, definition in promised.fields.items():
                demanded += [
                    f"{name}.{field}({each})"
                    for each, argument in ours.fields[field].args.items()
                    if each not in definition.args and str(argument.type).endswith("!") and not argument.default
                ]
    assert demanded == []


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that were found valid and kept meanwhile."""
    texts: list[str] = []
    add = OperationCache.add

    def noting(self: OperationCache, text: str, *arguments: Any) -> Any:
        texts.append(text)
        return add(self, text, *arguments)

    monkeypatch.setattr(OperationCache, "add", noting)
    return texts


async def test_a_second_equal_operation_is_neither_parsed_nor_validated_nor_compiled_again(
    shared_server: TetherServer, kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strawberry calls our own preparation of operations, of which it knows nothing: this tells when that changes."""
    worked = _calls_of(monkeypatch, *((schema_module, name) for name in ("parse", "errors_in", "cost_of")))
    client = await shared_server.member()
    query = "query Q($slug: String!) { organization(by: {slug: $slug}) { cached: slug } }"
    other = query.replace("cached", "other")
    before = shared_server.tether.documents.compiled

    for slug, found in (("acme", {"cached": "acme"}), ("acme", {"cached": "acme"}), ("nobody", None)):
        assert await client.data(query, slug=slug) == {"organization": found}
        assert (kept, shared_server.tether.documents.compiled) == ([query], before + 1)
        assert worked == ["parse", "errors_in", "cost_of"]
    await client.data(other, slug="acme")
    assert (kept, shared_server.tether.documents.compiled) == ([query, other], before + 2)
    assert worked == ["parse", "errors_in", "cost_of"] * 2


def _calls_of(monkeypatch: pytest.MonkeyPatch, *functions: tuple[ModuleType, str]) -> list[str]:
    """Names of these functions, as they are called from now on."""
    called: list[str] = []

    def noting(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            called.append(name)
            return function(*arguments, **named)

        monkeypatch.setattr(module, name, noted)

    for module, name in functions:
        noting(module, name)
    return called


async def test_a_published_document_is_parsed_once_however_it_is_asked_for(
    shared_server: TetherServer, kept: list[str]
) -> None:
    client, text = (
        await shared_server.member(),
        "query Published($slug: String!) { organization(by: {slug: $slug}) { id } }",
    )
    await shared_server.tether.trusted_documents.publish([(id_of_text(text), text, "Published")])
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": id_of_text(text).removeprefix("sha256:")}}
    for body in ({"documentId": id_of_text(text)}, {"extensions": by_hash}, {"query": text, "extensions": by_hash}):
        for slug in ("acme", "nobody"):
            assert "errors" not in (await client.post({**body, "variables": {"slug": slug}})).body
    assert kept == [text]


async def test_an_operation_that_is_not_valid_is_not_kept(shared_server: TetherServer, kept: list[str]) -> None:
    client = await shared_server.member()

    for query in ("{", "{ nope }", "{ viewer }"):
        for _ in range(2):
            await client.error(query)
    assert kept == []


async def test_every_error_has_our_extensions_wherever_it_comes_up(shared_server: TetherServer) -> None:
    """Strawberry calls our own handling of results, of which it knows nothing: this tells when that changes."""
    client = await shared_server.member()
    queries = {
        "{": "GRAPHQL_PARSE_FAILED",
        "{ nope }": "GRAPHQL_VALIDATION_FAILED",
        "query ($id: ID!) { node(id: $id) { id } }": "BAD_USER_INPUT",
        '{ organization(by: {slug: "acme"}) { connections(first: 1000) { totalCount } } }': "BAD_USER_INPUT",
    }
    for query, code in queries.items():
        for _ in range(2):
            assert (await client.error(query))[0] == code
            async with shared_server.subscribe(client, query) as followed:
                assert (await followed.error())[0] == code


def _names(type_: GraphQLObjectType | GraphQLInterfaceType) -> set[str]:
    return {interface.name for interface in type_.interfaces}


def _is_one_of(type_: GraphQLInputObjectType) -> bool:
    """Strawberry says it with a directive of its own, and refuses what breaks it."""
    return (
        type_.is_one_of
        or "@oneOf" in EXPORTED.read_text("utf-8").partition(f"input {type_.name} ")[2].partition("{")[0]
    )


def _missing_fields(name: str, promised: dict[str, GraphQLField], ours: dict[str, GraphQLField]) -> list[str]:
    missing: list[str] = []
    for field, definition in promised.items():
        if field not in ours or str(ours[field].type) != str(definition.type):
            missing.append(f"{name}.{field}: {definition.type}")
            continue
        for argument, wanted in definition.args.items():
            given = ours[field].args.get(argument)
            if given is None or str(given.type).rstrip("!") != str(wanted.type).rstrip("!"):
                missing.append(f"{name}.{field}({argument}: {wanted.type})")
    return missing


def _missing_inputs(name: str, promised: dict[str, GraphQLInputField], ours: dict[str, GraphQLInputField]) -> list[str]:
    return [
        f"{name}.{field}: {definition.type}"
        for field, definition in promised.items()
        if field not in ours or str(ours[field].type).rstrip("!") != str(definition.type).rstrip("!")
    ]


def _required(field: GraphQLInputField) -> bool:
    return str(field.type).endswith("!") and field.default is None
