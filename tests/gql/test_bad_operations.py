"""What is answered to operations that can't be run: the exact status, code and message, in both forms of an answer."""

from typing import Any

import pytest

from tests.gql.client import JSON, RESPONSE_JSON, Client
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

ONE_OF = "Within OneOf Input Object type 'OrganizationBy', exactly one field must be specified."
TWO = "query A { viewer { user { name } } } query B { viewer { user { email } } }"


@pytest.fixture
async def client(shared_server: TetherServer) -> Client:
    return await shared_server.member()


def _deep(levels: int) -> str:
    return (
        "{ viewer { memberships { nodes "
        + "{ organization { members { nodes " * levels
        + "{ __typename }"
        + "} } }" * levels
        + " } } }"
    )


BOMB = "{ viewer { ...F0 } } fragment F20 on Viewer { user { id } } " + " ".join(
    f"fragment F{number} on Viewer {{ ...F{number + 1} ...F{number + 1} }}" for number in range(20)
)


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("{ viewer {", "PARSE", "Syntax Error: Expected Name, found <EOF>."),
        ("#", "PARSE", "Syntax Error: Unexpected <EOF>."),
        ("quer { viewer }", "PARSE", "Syntax Error: Unexpected Name."),
        ('{ node(id: "\\ud800") { id } }', "PARSE", "Syntax Error: Invalid Unicode escape sequence: '\\ud800'."),
        (
            "{ viewer { user { " + "id " * 2_000 + "} } }",
            "PARSE",
            "Syntax Error: Document contains more than 2000 tokens. Parsing aborted.",
        ),
        ("{ a" * 900, "PARSE", "Syntax Error: Document is nested too deeply. Parsing aborted."),
        (
            "{ node(id: " + "[" * 900 + "]" * 900 + ") { id } }",
            "PARSE",
            "Syntax Error: Document is nested too deeply. Parsing aborted.",
        ),
        (
            "{ vieweer { user { id } } }",
            "VALIDATION",
            "Cannot query field 'vieweer' on type 'Query'. Did you mean 'viewer'?",
        ),
        (
            "{ viewer }",
            "VALIDATION",
            "Field 'viewer' of type 'Viewer!' must have a selection of subfields. Did you mean 'viewer { ... }'?",
        ),
        (TWO, "VALIDATION", "Say by operationName which of these operations is to run."),
        (_deep(4), "VALIDATION", "This operation has more than 12 levels of fields. Ask for less at once."),
        (
            "{ viewer { " + " ".join(f"a{n}: user {{ id }}" for n in range(31)) + " } }",
            "VALIDATION",
            "This operation has more than 30 aliases. Ask for less at once.",
        ),
        (
            "{ " + " ".join(f"a{n}: viewer {{ user {{ id }} }}" for n in range(21)) + " }",
            "VALIDATION",
            "This operation has more than 20 root fields. Ask for less at once.",
        ),
        (
            BOMB,
            "VALIDATION",
            "This operation has more than 2000 fields, with its fragments spread. Ask for less at once.",
        ),
        (
            "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }",
            "VALIDATION",
            "Cannot spread fragment 'A' within itself via 'B'.",
        ),
        (
            "{ viewer { user { " + "id @include(if: true) " * 51 + "} } }",
            "VALIDATION",
            "This operation has more than 50 directives. Ask for less at once.",
        ),
        (
            '{ a: __schema { types { name } } b: __schema { types { name } } c: __type(name: "User") { name } }',
            "VALIDATION",
            "This operation has more than 2 introspections. Ask for less at once.",
        ),
        (
            "{ __schema { " + " ".join(f"a{n}: types {{ name }}" for n in range(31)) + " } }",
            "VALIDATION",
            "This operation has more than 30 aliases. Ask for less at once.",
        ),
        ("{ organization(by: {}) { id } }", "VALIDATION", ONE_OF),
        ("{ organization(by: {slug: $slug}) { id } }", "VALIDATION", "Variable '$slug' is not defined."),
        (
            "query Q($slug: String) { organization(by: {slug: $slug}) { id } }",
            "VALIDATION",
            "Variable '$slug' can't be null: it is for a member of the OneOf 'OrganizationBy'.",
        ),
        (
            "query A { viewer { user { id } } } " + "".join(f"fragment F{n} on User {{ id }} " for n in range(100)),
            "VALIDATION",
            "A document has at most 100 operations and fragments.",
        ),
        ("{ " + "u" * 1_000 + " }", "VALIDATION", "Cannot query field '" + "u" * 480 + "…"),
        (
            '{ organization(by: {slug: "acme"}) { connections(filter: {status: NOPE}) { totalCount } } }',
            "VALIDATION",
            "The value does not exist in 'ConnectionStatus' enum.",
        ),
        (
            '{ organization(by: {slug: "acme"}) { connections(first: 2147483648) { totalCount } } }',
            "VALIDATION",
            "Int cannot represent non 32-bit signed integer value.",
        ),
        (
            '{ organization(by: {slug: "acme"}) { connections(filter: {expiringBefore: "soon"}) { totalCount } } }',
            "VALIDATION",
            'A DateTime is RFC 3339, such as "2026-09-25T00:59:03.120Z".',
        ),
    ],
)
async def test_an_operation_that_is_not_valid_or_too_large_is_refused(
    client: Client, query: str, code: str, message: str, accept: str
) -> None:
    answer = await client.post({"query": query}, accept=accept)

    assert answer.status == (200 if accept == JSON else 400)
    assert answer.error == (f"GRAPHQL_{code}_FAILED", message)
    assert "data" not in answer.body


async def test_a_variable_in_a_fragment_is_a_member_of_a_one_of_wherever_the_fragment_stands(client: Client) -> None:
    by_slug = "fragment F on Query { organization(by: {slug: $slug}) { slug } }"
    query = "query Q($slug: String!) { ...F }"

    for text in (f"{by_slug} {query}", f"{query} {by_slug}"):
        assert await client.data(text, slug="acme") == {"organization": {"slug": "acme"}}


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
@pytest.mark.parametrize(
    ("declared", "use", "variables", "message"),
    [
        (
            "$id: ID!",
            "node(id: $id) { id }",
            {},
            "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided.",
        ),
        (
            "$id: ID!",
            "node(id: $id) { id }",
            {"id": None},
            "Variable '$id' has invalid value: Expected value of non-null type 'ID!' not to be None.",
        ),
        (
            "$id: ID!",
            "node(id: $id) { id }",
            {"id": {"a": 1}},
            "Variable '$id' has invalid value: ID cannot represent value.",
        ),
        (
            "$filter: ServiceConnectionFilter",
            'organization(by: {slug: "acme"}) { connections(filter: $filter) { totalCount } }',
            {"filter": {"status": ["NOPE"]}},
            "Variable '$filter' has invalid value at .status[0]: The value does not exist in 'ConnectionStatus' enum.",
        ),
        (
            "$filter: ServiceConnectionFilter",
            'organization(by: {slug: "acme"}) { connections(filter: $filter) { totalCount } }',
            {"filter": {"stauts": ["ACTIVE"]}},
            "Variable '$filter' has invalid value: Expected value of type 'ServiceConnectionFilter' not to include "
            "unknown field 'stauts'. Did you mean 'status'?",
        ),
        (
            "$filter: ServiceConnectionFilter",
            'organization(by: {slug: "acme"}) { connections(filter: $filter) { totalCount } }',
            {"filter": {"expiringBefore": "2026-01-01"}},
            "Variable '$filter' has invalid value at .expiringBefore: A DateTime names its zone, such as the Z in "
            '"2026-09-25T00:59:03.120Z".',
        ),
        (
            "$filter: ServiceConnectionFilter",
            'organization(by: {slug: "acme"}) { connections(filter: $filter) { totalCount } }',
            {"filter": {"expiringBefore": "0001-01-01T00:00:00+14:00"}},
            "Variable '$filter' has invalid value at .expiringBefore: A DateTime lies between the years 1 and 9999 in "
            "UTC.",
        ),
        (
            "$first: Int",
            'organization(by: {slug: "acme"}) { connections(first: $first) { totalCount } }',
            {"first": 1.5},
            "Variable '$first' has invalid value: Int cannot represent non-integer value.",
        ),
        (
            "$by: OrganizationBy!",
            "organization(by: $by) { id }",
            {"by": {"slug": "acme", "id": "org_x"}},
            f"Variable '$by' has invalid value: {ONE_OF}",
        ),
    ],
)
async def test_variables_that_do_not_fit_are_refused(
    client: Client, declared: str, use: str, variables: dict[str, Any], message: str, accept: str
) -> None:
    answer = await client.post({"query": f"query ({declared}) {{ {use} }}", "variables": variables}, accept=accept)

    assert answer.status == (200 if accept == JSON else 400)
    assert answer.error == ("BAD_USER_INPUT", message)
    assert "data" not in answer.body


ACME = 'organization(by: {slug: "acme"})'


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            f"{ACME} {{ connections(first: 1000) {{ totalCount }} }}",
            "first is at least 0 and at most 100; it is 1000. Ask for further pages.",
        ),
        (
            f"{ACME} {{ connections(last: -1) {{ totalCount }} }}",
            "last is at least 0 and at most 100; it is -1. Ask for further pages.",
        ),
        (f"{ACME} {{ connections(first: 1, last: 1) {{ totalCount }} }}", "Give either first or last, not both."),
        (
            f'{ACME} {{ connections(after: "x") {{ totalCount }} }}',
            "'x' is no cursor. Use an endCursor, startCursor or edge's cursor of this list.",
        ),
        (
            f'{ACME} {{ events(filter: {{connectionIds: ["org_x"]}}) {{ totalCount }} }}',
            "'org_x' is not the id of a connection, which looks like conn_0192f0c1-….",
        ),
        (
            f'{ACME} {{ connections(filter: {{search: "a\\u0000"}}) {{ totalCount }} }}',
            "search takes at most 200 characters, none of them NUL.",
        ),
        (
            f'{ACME} {{ connections(filter: {{service: ["a\\u0000"]}}) {{ totalCount }} }}',
            "No text here has the character NUL.",
        ),
        (
            f"{ACME} {{ connections(filter: {{labels: [1]}}) {{ totalCount }} }}",
            'labels is an object of text by text, such as {"team": "platform"}.',
        ),
        ('organization(by: {slug: "a\\u0000"}) { id }', "No text here has the character NUL."),
    ],
)
async def test_arguments_that_cannot_be_used_are_refused(server: TetherServer, field: str, message: str) -> None:
    client = await server.member()

    answer = await client.execute(f"{{ {field} }}")

    assert answer.status == 200
    assert answer.body["data"] == {"organization": None}
    assert answer.error == ("BAD_USER_INPUT", message)


async def test_a_cursor_is_good_only_for_the_list_that_it_came_from(server: TetherServer) -> None:
    client = await server.member()
    await server.connect(client)
    foreign = await server.member(organization="globex")
    page = "pageInfo { endCursor }"
    lists = await client.data(f"{{ {ACME} {{ events(first: 1) {{ {page} }} connections(first: 1) {{ {page} }} }} }}")
    event, connection = (lists["organization"][name]["pageInfo"]["endCursor"] for name in ("events", "connections"))
    another = "This cursor is of another list, order or filter. Begin again without it."
    changed = "This cursor has been changed. Use it as it was given."

    async def refused(client: Client, slug: str, field: str, cursor: str) -> str:
        declared = "$slug: String!, $after: String"
        query = f"query ({declared}) {{ organization(by: {{slug: $slug}}) {{ {field} {{ totalCount }} }} }}"
        code, message = await client.error(query, slug=slug, after=cursor)
        assert code == "BAD_USER_INPUT"
        return message

    by_name = "connections(after: $after, orderBy: {field: NAME, direction: ASC})"
    assert await refused(client, "acme", by_name, connection) == another
    assert await refused(client, "acme", 'connections(after: $after, filter: {search: "a"})', connection) == another
    assert await refused(client, "acme", "connections(after: $after)", event) == another
    assert (
        await refused(foreign, "globex", "connections(after: $after)", connection)
        == "This cursor is of another organization. Begin again without it."
    )
    for key in ("", "x", "1_0", "١", "-1", "9" * 19, "1" * 5_000):
        assert await refused(client, "acme", "events(after: $after)", f"{event.rsplit('~', 1)[0]}~{key}") == changed
    for key in ("", "x", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        forged = f"{connection.rsplit('~', 1)[0]}~{key}"
        assert await refused(client, "acme", "connections(after: $after)", forged) == changed


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "x",
        "conn_",
        "conn_x",
        "org_01a20758-0000-7000-8000-000000000000",
        "CONN_01A20758-0000-7000-8000-000000000000",
        "a\0",
        "é" * 500,
    ],
)
async def test_an_id_of_another_type_or_of_nothing_is_missing(client: Client, id_: str) -> None:
    assert await client.data("query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", id=id_) == {
        "node": None,
        "nodes": [None],
    }
    for field in ("updateConnection", "deleteConnection", "checkConnectionHealth", "rotateCredentials"):
        error = await client.user_error(field, connectionId=id_)
        assert error == {
            "__typename": "NotFound",
            "code": "NOT_FOUND",
            "field": ["input", "connectionId"],
            "message": "There is no connection with this id.",
        }


async def test_values_nested_as_deep_as_json_allows_are_refused_in_words(client: Client) -> None:
    nested: list[Any] = []
    for _ in range(900):
        nested = [nested]
    assert await client.error("query ($id: ID!) { node(id: $id) { id } }", id=nested) == (
        "BAD_USER_INPUT",
        "This operation has more than 10 lists and objects within each other in an argument or a variable.",
    )
    assert await client.error("query ($id: ID!) { node(id: $id) { id } }", id=[[["x"]]]) == (
        "BAD_USER_INPUT",
        "Variable '$id' has invalid value: ID cannot represent value.",
    )
