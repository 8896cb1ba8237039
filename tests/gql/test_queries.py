"""Every query field once, over HTTP, with data of both services; and that lists filter, order and turn pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from domain.entities.identifiers import new_id
from persistence.tables import repositories
from tests.gql.client import Client
from tests.gql.server import TetherServer, uuid_of
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

ACME = 'organization(by: {slug: "acme"})'


async def _furnished(server: TetherServer) -> tuple[Client, dict[str, Any]]:
    """An owner's client, and by their names a working, an ending, a failing and a paused connection."""
    client = await server.member()
    soon = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    connections: dict[str, dict[str, Any]] = {
        "Beta": {"labels": {"team": "platform", "tier": "1"}},
        "alpha": {"labels": {"team": "platform"}, "token": await server.credential("github", expires_at=soon)},
        "Gamma": {"token": (failing := await server.credential("github"))},
        "Delta": {"service": "slack", "labels": {"team": "sales"}},
    }
    made = {name: await server.connect(client, name=name, **members) for name, members in connections.items()}
    await server.sandbox.put_token(failing, service="github", behaviour="server_error")
    await client.mutate("checkConnectionHealth", "connection { id }", connectionId=made["Gamma"]["id"])
    await client.mutate(
        "updateConnectionStatus", "connection { id }", connectionId=made["Delta"]["id"], status="INACTIVE"
    )
    return client, made


async def test_viewer_tells_who_asks_by_which_key_and_where_they_belong(server: TetherServer) -> None:
    client = await server.member()
    await client.mutate("createOrganization", "organization { id }", slug="globex", name="Globex")

    viewer = (
        await client.data(
            "{ viewer { user { name email avatarUrl createdAt } apiKey { id name role createdAt expiresAt } "
            "memberships(first: 1) { totalCount pageInfo { hasNextPage } nodes { role joinedAt "
            "user { name } organization { slug viewerRole } } } } }"
        )
    )["viewer"]

    assert datetime.fromisoformat(viewer["user"].pop("createdAt")) <= datetime.now(UTC)
    assert viewer["user"] == {"name": "owner", "email": "owner@acme.example", "avatarUrl": None}
    assert viewer["apiKey"].pop("id").startswith("key_")
    created_at = viewer["apiKey"].pop("createdAt")
    assert viewer["apiKey"] == {"name": "Issued by the operator", "role": "OWNER", "expiresAt": None}

    async def last_used_at() -> str | None:
        used_at: str | None = (await client.data("{ viewer { apiKey { lastUsedAt } } }"))["viewer"]["apiKey"][
            "lastUsedAt"
        ]
        return used_at

    assert created_at <= await eventually(last_used_at)
    [membership] = viewer["memberships"].pop("nodes")
    assert viewer["memberships"] == {"totalCount": 2, "pageInfo": {"hasNextPage": True}}
    assert membership.pop("joinedAt")
    assert membership == {
        "role": "OWNER",
        "user": {"name": "owner"},
        "organization": {"slug": "acme", "viewerRole": "OWNER"},
    }


async def test_services_are_the_catalogue(shared_server: TetherServer) -> None:
    client = await shared_server.member()

    services = (
        await client.data(
            "{ services { id name description documentationUrl authorizationMethods "
            "scopes { name description required } settingsSchema webhookUrl } }"
        )
    )["services"]

    assert [(service["id"], service["name"], service["authorizationMethods"]) for service in services] == [
        ("github", "GitHub", ["GITHUB_APP", "TOKEN"]),
        ("gitlab", "GitLab", ["TOKEN"]),
        ("slack", "Slack", ["TOKEN"]),
    ]
    for service, required in zip(services, (["repo"], ["read_api"], ["chat:write", "channels:read"]), strict=True):
        assert service["documentationUrl"].startswith("https://")
        assert [scope["name"] for scope in service["scopes"] if scope["required"]] == required
        assert set(service["settingsSchema"]["properties"]) == {"requiredScopes", "expiryWarningDays"}
        assert service["webhookUrl"] is None


async def test_an_organization_is_found_by_its_slug_and_by_its_id(server: TetherServer) -> None:
    client = await server.member()
    fields = "{ id slug name createdAt viewerRole }"

    by_slug = (await client.data(f"{{ {ACME} {fields} }}"))["organization"]
    by_id = await client.data(f"query ($id: ID!) {{ organization(by: {{id: $id}}) {fields} }}", id=by_slug["id"])

    assert by_id["organization"] == by_slug
    assert by_slug["id"] == await server.organization_id()
    assert (by_slug["slug"], by_slug["viewerRole"]) == ("acme", "OWNER")


async def test_connections_are_filtered_and_ordered(server: TetherServer) -> None:
    client, _ = await _furnished(server)
    query = """
    query ($filter: ServiceConnectionFilter, $orderBy: ServiceConnectionOrder!) {
      organization(by: {slug: "acme"}) { connections(filter: $filter, orderBy: $orderBy) { totalCount nodes { name } } }
    }
    """

    async def names(field: str = "NAME", direction: str = "ASC", **filters: Any) -> list[str]:
        order = {"field": field, "direction": direction}
        page = (await client.data(query, filter=filters or None, orderBy=order))["organization"]["connections"]
        assert page["totalCount"] == len(page["nodes"])
        return [node["name"] for node in page["nodes"]]

    assert await names() == ["alpha", "Beta", "Delta", "Gamma"]
    assert await names(direction="DESC") == ["Gamma", "Delta", "Beta", "alpha"]
    assert await names("CREATED_AT") == ["Beta", "alpha", "Gamma", "Delta"]
    assert await names("STATUS_CHANGED_AT") == ["Beta", "alpha", "Gamma", "Delta"]
    assert await names("CHECKED_AT") == ["Beta", "alpha", "Delta", "Gamma"]
    assert await names(service=["slack"]) == ["Delta"]
    assert await names(service=["slack", "github", "gitlab"], status=["ACTIVE"]) == ["alpha", "Beta", "Gamma"]
    assert await names(status=["INACTIVE", "EXPIRED"]) == ["Delta"]
    assert await names(health=["UNHEALTHY", "DEGRADED"]) == ["alpha", "Gamma"]
    assert await names(search="ALPH") == ["alpha"]
    assert await names(search="%") == []
    assert await names(labels={"team": "platform"}) == ["alpha", "Beta"]
    assert await names(labels={"team": "platform", "tier": "1"}) == ["Beta"]
    assert await names(expiringBefore=(datetime.now(UTC) + timedelta(days=6)).isoformat()) == ["alpha"]
    assert await names(service=[]) == []
    default = await client.data(f"{{ {ACME} {{ connections {{ nodes {{ name }} }} }} }}")
    assert [node["name"] for node in default["organization"]["connections"]["nodes"]] == [
        "Delta",
        "Gamma",
        "alpha",
        "Beta",
    ]


async def test_pages_turn_forwards_and_backwards(server: TetherServer) -> None:
    client, _ = await _furnished(server)
    query = """
    query ($first: Int, $after: String, $last: Int, $before: String) {
      organization(by: {slug: "acme"}) {
        connections(first: $first, after: $after, last: $last, before: $before,
          orderBy: {field: NAME, direction: ASC}) {
          edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
      }
    }
    """

    async def page(**arguments: Any) -> tuple[list[str], dict[str, Any]]:
        found = (await client.data(query, **arguments))["organization"]["connections"]
        info = found["pageInfo"]
        assert [info["startCursor"], info["endCursor"]] == [found["edges"][at]["cursor"] for at in (0, -1)]
        return [edge["node"]["name"] for edge in found["edges"]], info

    names, first = await page(first=3)
    assert (names, first["hasNextPage"], first["hasPreviousPage"]) == (["alpha", "Beta", "Delta"], True, False)
    names, second = await page(first=3, after=first["endCursor"])
    assert (names, second["hasNextPage"], second["hasPreviousPage"]) == (["Gamma"], False, True)
    names, back = await page(last=2, before=second["startCursor"])
    assert (names, back["hasNextPage"], back["hasPreviousPage"]) == (["Beta", "Delta"], True, True)
    names, _ = await page(first=1, after=back["startCursor"], before=second["startCursor"])
    assert names == ["Delta"]


async def test_the_summary_counts_connections(server: TetherServer) -> None:
    client, _ = await _furnished(server)

    summary = (
        await client.data(
            f"{{ {ACME} {{ connectionSummary {{ total byStatus {{ status count }} byHealth {{ health count }} "
            "byService { service { id } count } expiringCredentials } } }"
        )
    )["organization"]["connectionSummary"]

    assert {each["status"]: each["count"] for each in summary["byStatus"]} == {
        "PENDING": 0,
        "ACTIVE": 3,
        "INACTIVE": 1,
        "EXPIRED": 0,
        "REVOKED": 0,
        "ERROR": 0,
    }
    assert {each["health"]: each["count"] for each in summary["byHealth"]} == {
        "UNKNOWN": 0,
        "HEALTHY": 2,
        "DEGRADED": 1,
        "UNHEALTHY": 1,
    }
    assert {each["service"]["id"]: each["count"] for each in summary["byService"]} == {
        "github": 3,
        "gitlab": 0,
        "slack": 1,
    }
    assert (summary["total"], summary["expiringCredentials"]) == (4, 1)


async def test_repositories_are_listed_by_name_for_a_connection_and_for_all(server: TetherServer) -> None:
    client, made = await _furnished(server)
    await _add_repositories(server, made["Beta"]["id"], ["acme/website", "acme/API", "acme/old"])
    await _add_repositories(server, made["alpha"]["id"], ["globex/site"])
    query = """
    query ($id: ID!, $filter: RepositoryFilter) {
      organization(by: {slug: "acme"}) { repositories(filter: $filter) { totalCount nodes { fullName } } }
      node(id: $id) { ... on ServiceConnection { repositories(first: 2, filter: $filter) {
        totalCount
        nodes { id fullName externalId url defaultBranch private archived selected syncedAt connection { name } }
      } } }
    }
    """

    found = await client.data(query, id=made["Beta"]["id"])
    names = [each["fullName"] for each in found["organization"]["repositories"]["nodes"]]
    assert names == ["acme/API", "acme/old", "acme/website", "globex/site"]
    page = found["node"]["repositories"]
    assert page["totalCount"] == 3
    repository, second = page["nodes"]
    assert repository.pop("id").startswith("repo_")
    assert repository.pop("syncedAt") == "2026-01-02T03:04:05.6789+00:00"
    assert repository == {
        "fullName": "acme/API",
        "externalId": "1",
        "url": "https://github.com/acme/API",
        "defaultBranch": "main",
        "private": True,
        "archived": False,
        "selected": True,
        "connection": {"name": "Beta"},
    }
    assert second["fullName"] == "acme/old"
    for wanted, total in (({"search": "SITE"}, 2), ({"private": False}, 0), ({"archived": False, "selected": True}, 4)):
        found = await client.data(query, id=made["Beta"]["id"], filter=wanted)
        assert found["organization"]["repositories"]["totalCount"] == total


async def test_members_and_events_are_listed(server: TetherServer) -> None:
    client, made = await _furnished(server)
    query = """
    query ($filter: ConnectionEventFilter) {
      organization(by: {slug: "acme"}) {
        members { totalCount nodes { role user { email } organization { slug } } }
        events(filter: $filter) { totalCount nodes { id cursor sequence type occurredAt data connection { name }
          actor { kind name user { name } apiKey { name } }
          status { from to reason { code } } health { status trigger } } }
        eventCursor
      }
    }
    """

    found = (await client.data(query, filter={"types": ["STATUS_CHANGED"], "connectionIds": [made["Delta"]["id"]]}))[
        "organization"
    ]

    assert found["members"] == {
        "totalCount": 1,
        "nodes": [{"role": "OWNER", "user": {"email": "owner@acme.example"}, "organization": {"slug": "acme"}}],
    }
    events = found["events"]
    assert events["totalCount"] == 2
    paused, _ = events["nodes"]
    assert paused["cursor"] == found["eventCursor"]
    assert paused.pop("id").startswith("evt_")
    assert paused.pop("occurredAt")
    assert paused.pop("cursor").endswith(f"~{paused.pop('sequence')}")
    assert paused == {
        "type": "STATUS_CHANGED",
        "data": {},
        "connection": {"name": "Delta"},
        "actor": {
            "kind": "API_KEY",
            "name": "Issued by the operator",
            "user": {"name": "owner"},
            "apiKey": {"name": "Issued by the operator"},
        },
        "status": {"from": "ACTIVE", "to": "INACTIVE", "reason": {"code": "PAUSED"}},
        "health": None,
    }


async def test_health_tells_its_checks_and_the_share_of_the_time_without_failure(server: TetherServer) -> None:
    client, made = await _furnished(server)
    query = """
    query ($id: ID!, $since: DateTime!) { node(id: $id) { ... on ServiceConnection { health {
      status checkedAt nextCheckAt consecutiveFailures uptime(since: $since)
      checks(since: $since) { totalCount nodes { id status startedAt trigger } }
    } } } }
    """
    day_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    failing = (await client.data(query, id=made["Gamma"]["id"], since=day_ago))["node"]["health"]
    healthy = (await client.data(query, id=made["Beta"]["id"], since=day_ago))["node"]["health"]

    assert [check["status"] for check in failing["checks"]["nodes"]] == ["UNHEALTHY", "HEALTHY"]
    assert [check["trigger"] for check in failing["checks"]["nodes"]] == ["MANUAL", "CONNECT"]
    assert (failing["status"], failing["consecutiveFailures"]) == ("UNHEALTHY", 1)
    assert 0 < failing["uptime"] < 1
    assert healthy["uptime"] == 1
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    none = (await client.data(query, id=made["Beta"]["id"], since=ahead))["node"]["health"]
    assert (none["uptime"], none["checks"]) == (None, {"totalCount": 0, "nodes": []})


async def test_node_finds_every_kind_of_object_by_its_id(server: TetherServer) -> None:
    client, made = await _furnished(server)
    await _add_repositories(server, made["Beta"]["id"], ["acme/website"])
    found = await client.data(
        "query ($id: ID!) { viewer { user { id } } node(id: $id) { ... on ServiceConnection { id organization { id } "
        "credential { id } repositories { nodes { id } } health { checks { nodes { id } } } "
        "events(first: 1) { nodes { id } } } } }",
        id=made["Beta"]["id"],
    )
    connection = found["node"]
    expected = {
        connection["id"]: "ServiceConnection",
        connection["organization"]["id"]: "Organization",
        connection["credential"]["id"]: "ServiceCredential",
        connection["repositories"]["nodes"][0]["id"]: "Repository",
        connection["health"]["checks"]["nodes"][0]["id"]: "HealthCheck",
        connection["events"]["nodes"][0]["id"]: "ConnectionEvent",
        found["viewer"]["user"]["id"]: "User",
    }

    for id_, type_name in expected.items():
        node = (await client.data("query ($id: ID!) { node(id: $id) { __typename id } }", id=id_))["node"]
        assert node == {"__typename": type_name, "id": id_}
    ids = [*expected, "x", *reversed(expected)]
    nodes = (await client.data("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids))["nodes"]
    assert nodes == [None if id_ == "x" else {"__typename": expected[id_], "id": id_} for id_ in ids]


async def test_nodes_takes_a_hundred_ids(server: TetherServer) -> None:
    client = await server.member()
    id_ = (await server.connect(client))["id"]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    assert (await client.data(query, ids=[id_] * 100))["nodes"] == [{"id": id_}] * 100
    assert (await client.data(query, ids=[]))["nodes"] == []
    assert await client.error(query, ids=[id_] * 101) == (
        "BAD_USER_INPUT",
        "nodes takes at most 100 ids; these are 101. Ask in several requests.",
    )


async def test_aliases_fragments_and_conditions_shape_the_answer(server: TetherServer) -> None:
    client, made = await _furnished(server)
    query = """
    query ($id: ID!, $yes: Boolean!, $no: Boolean!) {
      first: node(id: $id) {
        ...Named
        ... on ServiceConnection { again: name @include(if: $yes) version @skip(if: $yes) }
      }
      second: node(id: $id) @include(if: $no) { id }
      __typename
    }
    fragment Named on Node { kind: __typename ... on ServiceConnection { name health { __typename status } } }
    """

    assert await client.data(query, id=made["Beta"]["id"], yes=True, no=False) == {
        "first": {
            "kind": "ServiceConnection",
            "name": "Beta",
            "health": {"__typename": "ConnectionHealth", "status": "HEALTHY"},
            "again": "Beta",
        },
        "__typename": "Query",
    }
    other = await client.data(query, id=made["Beta"]["id"], yes=False, no=True)
    assert set(other["first"]) == {"kind", "name", "health", "version"}
    assert other["second"] == {"id": made["Beta"]["id"]}


async def _add_repositories(server: TetherServer, connection_id: str, names: list[str]) -> None:
    """As a later sync would."""
    rows = [
        {
            "organization_id": uuid_of(await server.organization_id()),
            "id": new_id(),
            "connection_id": uuid_of(connection_id),
            "external_id": str(number),
            "full_name": name,
            "full_name_key": name.lower(),
            "url": f"https://github.com/{name}",
            "default_branch": "main",
            "private": True,
            "archived": False,
            "selected": True,
            "synced_at": datetime(2026, 1, 2, 3, 4, 5, 678900, UTC),
        }
        for number, name in enumerate(names)
    ]
    await server.alter(*(insert(repositories).values(**row) for row in rows))
