"""The deepest and the widest operations within the limits work on both databases."""

import json

import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type

from domain.entities.user import Viewer
from gql.limit_settings import Limits
from persistence.documents.reader import TOO_DEEP
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.slow_evaluator import plain_schema
from tests.documents.values import Values

pytestmark = pytest.mark.anyio

_NO_EVENT = "evt_00000000-0000-4000-8000-000000000000"
_CONNECTIONS = (
    'connections(first: 1, orderBy: {field: CHECKED_AT, direction: DESC}, filter: {service: ["github", "slack"], '
    'search: "", labels: {}, expiringBefore: "2027-01-01T00:00:00Z"})'
)
_ORGANIZATION = 'organization(by: {slug: "acme"})'
_OWN = 'organization(by: {slug: "globex"})'  # of which the viewer is an owner
_EVENTS = "events(first: 1, filter: {types: [CREATED, UPDATED]})"
_REPOSITORIES = 'repositories(first: 1, filter: {search: "a"})'
_SERIES = 'series(since: "2026-11-01T10:00:00Z")'
_EXPIRING = "expiringCredentials(first: 1, within: 90)"
_AUDIT = 'auditLog(first: 1, filter: {actions: [SIGNED_IN], since: "2026-01-01T00:00:00Z"})'
_CYCLE = [_CONNECTIONS, "nodes", "organization"]
_CHAINS = [
    [_ORGANIZATION, *_CYCLE, *_CYCLE, *_CYCLE, "members(first: 1)", "totalCount"],
    [_ORGANIZATION, *_CYCLE, *_CYCLE, *_CYCLE, "connectionSummary", "expiringCredentials"],
    [_ORGANIZATION, *_CYCLE, *_CYCLE, _CONNECTIONS, "pageInfo", "hasNextPage"],
    [_ORGANIZATION, *_CYCLE, *_CYCLE, _CONNECTIONS, "edges", "node", "health", "message"],
    [_ORGANIZATION, *_CYCLE, _CONNECTIONS, "nodes", _EVENTS, "nodes", "connection", "service", "scopes", "name"],
    [
        _ORGANIZATION,
        *_CYCLE,
        _REPOSITORIES,
        "nodes",
        "connection",
        "health",
        "checks(last: 1)",
        "nodes",
        "probes",
        "code",
    ],
    [_ORGANIZATION, *_CYCLE, _CONNECTIONS, "nodes", "health", _SERIES, "latency", "p95Ms"],
    [_ORGANIZATION, *_CYCLE, _CONNECTIONS, "nodes", "health", 'latency(since: "2026-11-01T10:00:00Z")', "p50Ms"],
    [_ORGANIZATION, _EXPIRING, "nodes", "connection", "organization", *_CYCLE, _EXPIRING, "pageInfo", "hasNextPage"],
    ["viewer", "memberships", "nodes", "organization", *_CYCLE, _CONNECTIONS, "nodes", "createdBy", "name"],
    [_OWN, *_CYCLE, *_CYCLE, _AUDIT, "nodes", "actor", "user", "email"],
    [_OWN, *_CYCLE, *_CYCLE, _AUDIT, "pageInfo", "hasNextPage"],
    [f'node(id: "{_NO_EVENT}")', "... on ConnectionEvent", "connection", "organization", *_CYCLE, *_CYCLE, "slug"],
]


@pytest.fixture
def viewer(world: World) -> Viewer:
    return Values(world).viewers()[0]


def _nested(chain: list[str]) -> str:
    return "{" + " {".join(chain) + "}" * len(chain)


@pytest.mark.parametrize("chain", _CHAINS, ids=lambda chain: ".".join(part.partition("(")[0] for part in chain))
async def test_the_deepest_operations_are_answered(read_path: Reading, viewer: Viewer, chain: list[str]) -> None:
    assert len([part for part in chain if not part.startswith("...")]) <= Limits().depth
    data = await read_path.data(_nested(chain), viewer)
    assert set(data) == {chain[0].partition("(")[0]}


async def test_what_older_sqlite_cannot_parse_is_refused_in_words(read_path: Reading, viewer: Viewer) -> None:
    start = [f'nodes(ids: ["{_NO_EVENT}"])', "... on ConnectionEvent", "connection", "organization"]
    answer = await read_path.answer(
        _nested([*start, *_CYCLE, *_CYCLE, "connectionSummary", "byStatus", "count"]), viewer
    )
    refused = read_path.database.dialect_name == "sqlite" and bool(answer.errors)
    assert answer.errors == [] or refused
    if refused:
        assert answer.error == ("BAD_USER_INPUT", TOO_DEEP)


async def test_the_widest_operation_is_answered(read_path: Reading, viewer: Viewer) -> None:
    """All leaves of everything that a connection leads to, below as many aliases as there may be, with long names."""
    types = plain_schema(read_path.schema.as_str()).type_map

    def leaves(name: str) -> str:
        type_ = types[name]
        assert isinstance(type_, GraphQLObjectType)
        fields = [one for one, field in type_.fields.items() if not is_composite_type(get_named_type(field.type))]
        return " ".join(field if field != "uptime" else 'uptime(since: "2026-01-01T00:00:00Z")' for field in fields)

    keys = [f"{'k' * 74}{number:02}" for number in range(Limits().aliases)]
    page = f"(first: 2) {{ nodes {{ {leaves('Repository')} }} pageInfo {{ {leaves('PageInfo')} }} totalCount }}"
    pages = " ".join(f"{key}: repositories{page}" for key in keys)
    text = f"""{{ {_ORGANIZATION} {{ {leaves("Organization")} connections(first: 2) {{ edges {{ cursor node {{
      {leaves("ServiceConnection")} statusReason {{ {leaves("StatusReason")} }} service {{ {leaves("Service")} }}
      health {{ {leaves("ConnectionHealth")} probes {{ {leaves("HealthProbe")} }} }} createdBy {{ {leaves("User")} }}
      externalAccount {{ {leaves("ExternalAccount")} }} rateLimit {{ {leaves("ServiceRateLimit")} }}
      credential {{ {leaves("ServiceCredential")} }} events {{ nodes {{ {leaves("ConnectionEvent")} }} }} {pages}
    }} }} }} }} }}"""
    nodes = (await read_path.data(text, viewer))["organization"]["connections"]["edges"]
    assert [len(edge["node"]) for edge in nodes] == [len(nodes[0]["node"])] * 2
    assert all(edge["node"][key] == edge["node"][keys[0]] for edge in nodes for key in keys)


_FILTERED = """query ($f: ServiceConnectionFilter) {
  organization(by: {slug: "acme"}) { connections(filter: $f) { nodes { id } pageInfo { endCursor } } }
}"""


@pytest.mark.parametrize("bad", ["\0", "a\0b", "\ud800"], ids=json.dumps)
@pytest.mark.parametrize("given", ["search", "service", "labels", "label"])
async def test_text_that_no_database_holds_is_refused(read_path: Reading, viewer: Viewer, given: str, bad: str) -> None:
    wanted = {"search": bad, "service": [bad], "labels": {"a": bad}, "label": {bad: "a"}}[given]
    name = "labels" if given == "label" else given
    answer = await read_path.answer(_FILTERED, viewer, {"f": {name: wanted}})
    assert answer.error[0] == "BAD_USER_INPUT"
    assert answer.value == {"organization": None}


@pytest.mark.parametrize("bad", ["\0", "a\0b", "\ud800"], ids=json.dumps)
async def test_a_slug_or_cursor_that_no_database_holds_is_refused(read_path: Reading, viewer: Viewer, bad: str) -> None:
    by_slug = "query ($t: String!) {organization(by: {slug: $t}) {id}}"
    assert (await read_path.answer(by_slug, viewer, {"t": bad})).error[0] == "BAD_USER_INPUT"
    after = 'query ($t: String!) {organization(by: {slug: "acme"}) {connections(after: $t) {nodes {id}}}}'
    assert (await read_path.answer(after, viewer, {"t": bad})).error[0] == "BAD_USER_INPUT"
    by_id = "query ($t: ID!) {node(id: $t) {id} nodes(ids: [$t]) {id} organization(by: {id: $t}) {id}}"
    assert await read_path.data(by_id, viewer, {"t": bad}) == {"node": None, "nodes": [None], "organization": None}


@pytest.mark.parametrize("labels", [{"a": 7}, {"a": None}, {"a": {"b": "c"}}, [], "text", 7, True, {"a": 1.5}], ids=str)
async def test_labels_that_are_no_text_by_text_are_refused(read_path: Reading, viewer: Viewer, labels: object) -> None:
    answer = await read_path.answer(_FILTERED, viewer, {"f": {"labels": labels}})
    assert answer.error == ("BAD_USER_INPUT", 'labels is an object of text by text, such as {"team": "platform"}.')


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-11-23T07:30:00.12+05:30"]
)
async def test_the_first_and_the_last_moment_are_answered(read_path: Reading, viewer: Viewer, moment: str) -> None:
    text = """query ($t: DateTime!) {
      organization(by: {slug: "acme"}) {
        connections(first: 50, filter: {expiringBefore: $t}) {
          nodes { health { uptime(since: $t) checks(since: $t) { totalCount } } }
        }
      }
    }"""
    pages = (await read_path.data(text, viewer, {"t": moment}))["organization"]["connections"]["nodes"]
    shares = [node["health"]["uptime"] for node in pages]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert (pages == []) is moment.startswith("0001")


@pytest.mark.parametrize("size", [2**31, -(2**31) - 1, 10**30, 1.5, "1", True])
async def test_what_is_no_int_is_refused_by_graphql(read_path: Reading, viewer: Viewer, size: object) -> None:
    statements = len(read_path.statements)
    text = "query ($n: Int) {viewer {memberships(first: $n) {totalCount}}}"
    assert (await read_path.answer(text, viewer, {"n": size})).error[0] == "BAD_USER_INPUT"
    literal = f"{{viewer {{memberships(first: {json.dumps(size)}) {{totalCount}}}}}}"
    assert (await read_path.answer(literal, viewer)).error[0] == "GRAPHQL_VALIDATION_FAILED"
    assert len(read_path.statements) == statements
