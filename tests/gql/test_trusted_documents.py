"""Documents that are asked for by an id: published ones, texts that are known by their hash, and nothing else."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from domain.entities.trusted_document import id_of_text
from gql import __main__ as command_line
from gql.http.own_pages import CSRF_HEADER
from gql.persisted_queries import MISMATCH, NO_IDS, ONLY_PUBLISHED, OUTCOMES, UNKNOWN_ID
from persistence.tables import trusted_documents
from tests.gql.client import JSON, RESPONSE_JSON, Answer, Client
from tests.gql.command import run_tether
from tests.gql.server import TetherServer, running_tether
from tests.gql.streams import SSE
from tests.gql.waiting import eventually
from tests.gql.web_socket import Socket
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

VIEWER = "query Viewer { viewer { user { name } } }"
SERVICES = "query Services { services { id } }"
ORGANIZATION = "query Organization($slug: String!) { organization(by: {slug: $slug}) { name } }"
EVENTS = "subscription Events($id: ID!) { connectionEvents(organizationId: $id) { type connection { name } } }"
INTROSPECTION = "{ __schema { queryType { name } } }"
NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apollo(text: str, *, sent: bool = False) -> dict[str, Any]:
    """What Apollo's link and urql's exchange send: first the hash, then the text with it."""
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}
    return {"query": text, "extensions": extensions} if sent else {"extensions": extensions}


async def publish(server: TetherServer, *texts: str, **chosen: str) -> None:
    """`chosen`: texts by ids that aren't their hashes."""
    documents = [(id_of_text(text), text, "") for text in texts] + [(id_, text, "") for id_, text in chosen.items()]
    await server.tether.trusted_documents.publish(documents)


async def error_of(client: Client, body: dict[str, Any]) -> tuple[str, str]:
    return (await client.post(body)).error


async def counted(server: TetherServer, outcome: str) -> float:
    """How many operations of that outcome the metrics tell of."""
    lines = (await server.http.get("/metrics")).text.splitlines()
    start = f'tether_persisted_queries_total{{outcome="{outcome}"}}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(start))


async def subscribed(socket: Socket, payload: dict[str, Any], id_: str = "1") -> Any:
    """The first message of an operation that is asked for like this."""
    followed = socket.follow(id_)
    await socket.send({"type": "subscribe", "id": id_, "payload": payload})
    return await followed.message()


# Published documents


@pytest.mark.parametrize(
    "by",
    [{"documentId": f"sha256:{digest(VIEWER)}"}, {"documentId": digest(VIEWER)}, apollo(VIEWER), {"documentId": "own"}],
    ids=["documentId", "the hash alone", "Apollo's extension", "a chosen id"],
)
async def test_a_published_document_is_answered_by_its_id(shared_server: TetherServer, by: dict[str, Any]) -> None:
    await publish(shared_server, VIEWER, own=VIEWER)
    client = await shared_server.member()
    expected = {"viewer": {"user": {"name": "owner"}}}
    for body in (by, {**by, "query": None}, {**by, "query": VIEWER}, {**by, "operationName": "Viewer"}):
        assert (await client.post(body)).data == expected
    async with shared_server.socket(client.token) as socket:
        message = await subscribed(socket, by)
        assert message["payload"]["data"] == expected


async def test_variables_mutations_and_subscriptions_go_with_an_id(server: TetherServer) -> None:
    rename = (
        "mutation Rename($input: UpdateConnectionInput!) "
        "{ updateConnection(input: $input) { connection { name } userErrors { message } } }"
    )
    await publish(server, EVENTS, ORGANIZATION, rename)
    client = await server.member()
    connection, organization_id, numbers = await server.connect(client), await server.organization_id(), count(1)
    answer = await client.post({"documentId": id_of_text(ORGANIZATION), "variables": {"slug": "acme"}})
    assert answer.data == {"organization": {"name": "acme"}}
    async with server.socket(client.token) as socket:
        followed = socket.follow("1")
        by_id = {"documentId": id_of_text(EVENTS), "variables": {"id": organization_id}}
        await socket.send({"type": "subscribe", "id": "1", "payload": by_id})

        async def renamed() -> bool:
            """Each time to another name, until the subscription has begun and tells of one."""
            variables = {"input": {"connectionId": connection["id"], "name": f"Renamed {next(numbers)}"}}
            answer = await client.post({"documentId": id_of_text(rename), "variables": variables})
            assert answer.data["updateConnection"]["userErrors"] == []
            return not followed.messages.empty()

        await eventually(renamed)
        assert (await followed.event())["type"] == "UPDATED"


async def test_a_stream_is_asked_for_by_an_id(shared_server: TetherServer) -> None:
    await publish(shared_server, EVENTS)
    client = await shared_server.member()
    asked = {"documentId": id_of_text(EVENTS), "variables": {"id": await shared_server.organization_id()}}
    before = await counted(shared_server, "PUBLISHED")
    headers = {"Authorization": f"Bearer {client.token}", "Accept": SSE}
    async with shared_server.http.stream("POST", "/graphql", json=asked, headers=headers) as response:
        assert response.headers["content-type"].startswith(SSE)

    async def ended() -> bool:
        return await counted(shared_server, "PUBLISHED") == before + 1

    await eventually(ended)


async def test_each_caller_sees_their_own_by_the_same_id(server: TetherServer) -> None:
    await publish(server, ORGANIZATION)
    await server.member()
    globex = await server.member(organization="globex")
    asked = {"documentId": id_of_text(ORGANIZATION), "variables": {"slug": "acme"}}
    assert (await globex.post(asked)).data == {"organization": None}
    assert (await error_of(server.client(), asked))[0] == "UNAUTHENTICATED"


async def test_what_is_published_is_answered_however_large_it_is(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    two = "{ a: services { id } b: services { id } }"
    limits = {"TETHER_MAX_ALIASES": "1", "TETHER_MAX_TOKENS": "100", "TETHER_MAX_CHARACTERS": "1000"}
    long = "query Long { services { id } }" + " # " + 1_000 * "x"
    async with running_tether(sqlite_url, sandbox, encryption_key, **limits) as server:
        await publish(server, two, long)
        client = await server.member()
        for text in (two, long):
            assert (await client.error(text))[0] == "GRAPHQL_VALIDATION_FAILED"
            assert "errors" not in (await client.post({"documentId": id_of_text(text)})).body
            assert (await client.error(text))[0] == "GRAPHQL_VALIDATION_FAILED"


async def test_a_document_that_no_longer_fits_says_so(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    rows = {"gone": "{ viewer { nothing } }", "broken": "{ viewer {", "two": f"{VIEWER} {SERVICES}"}
    for id_, text in rows.items():
        await shared_server.tether.trusted_documents.publish([(id_, text, "")])
    code, message = await error_of(client, {"documentId": "gone"})
    assert (code, message.partition(": ")[0]) == (
        "GRAPHQL_VALIDATION_FAILED",
        "This document was published for another version of the schema",
    )
    assert (await error_of(client, {"documentId": "broken"}))[0] == "GRAPHQL_PARSE_FAILED"
    assert (await error_of(client, {"documentId": "two"}))[1].startswith("Say by operationName")
    assert (await client.post({"documentId": "two", "operationName": "Services"})).data["services"]
    async with shared_server.socket(client.token) as socket:
        assert (await subscribed(socket, {"documentId": "gone"}))["type"] == "error"


async def test_what_was_published_is_known_soon_and_what_was_retired_is_forgotten_soon(server: TetherServer) -> None:
    client, asked = await server.member(), {"documentId": id_of_text(SERVICES)}

    async def found() -> bool:
        return "errors" not in (await client.post(asked)).body

    async def lost() -> bool:
        return not await found()

    assert await lost()
    await publish(server, SERVICES)
    await eventually(found)
    await server.tether.trusted_documents.retire([id_of_text(SERVICES)])
    await eventually(lost)


async def test_when_a_document_was_used_is_noted(server: TetherServer) -> None:
    await publish(server, SERVICES, VIEWER)
    await (await server.member()).post({"documentId": id_of_text(SERVICES)})

    async def used() -> list[str]:
        return [row["id"] for row in await server.rows("trusted_documents") if row["used_at"] is not None]

    assert await eventually(used) == [id_of_text(SERVICES)]


async def test_a_query_may_be_asked_for_by_its_id_in_an_address(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    mutation = 'mutation { updateMember(input: {organizationId: "", userId: "", role: OWNER}) { membership { role } } }'
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_GET_QUERIES="on") as server:
        await publish(server, ORGANIZATION, mutation)
        headers = {"Authorization": f"Bearer {await server.token()}", CSRF_HEADER: "1"}
        hashed = {"persistedQuery": {"version": 1, "sha256Hash": digest(ORGANIZATION)}}
        for by in ({"documentId": id_of_text(ORGANIZATION)}, {"extensions": json.dumps(hashed)}):
            params = {**by, "variables": '{"slug": "acme"}'}
            answer = Answer(await server.http.get("/graphql", params=params, headers=headers))
            assert answer.data == {"organization": {"name": "acme"}}
        changing = await server.http.get("/graphql", params={"documentId": id_of_text(mutation)}, headers=headers)
        assert (changing.status_code, changing.headers["Allow"]) == (405, "POST")


# Texts that are known by their hash


async def test_a_text_that_came_with_its_hash_may_be_asked_for_by_it(shared_server: TetherServer) -> None:
    client, text = await shared_server.member(), "query Remembered { services { id name } }"
    assert await error_of(client, apollo(text)) == (NOT_FOUND, "PersistedQueryNotFound")
    first = (await client.post(apollo(text, sent=True))).data
    assert (await client.post(apollo(text))).data == first
    assert (await client.post({"documentId": id_of_text(text)})).data == first
    async with shared_server.socket(client.token) as socket:
        assert (await subscribed(socket, apollo(text)))["payload"]["data"] == first
    assert await error_of(client, {**apollo(text), "operationName": "Other"}) == (NOT_FOUND, "PersistedQueryNotFound")


async def test_another_process_has_the_text_sent_again(
    server: TetherServer, database_url: str, encryption_key: str
) -> None:
    client = await server.member()
    await client.post(apollo(SERVICES, sent=True))
    async with running_tether(database_url, server.sandbox, encryption_key) as second:
        other = second.client(client.token)
        assert (await error_of(other, apollo(SERVICES)))[0] == NOT_FOUND
        await publish(server, VIEWER)
        assert (await other.post(apollo(VIEWER))).data == (await client.post(apollo(VIEWER))).data


async def test_what_could_not_be_answered_is_not_remembered(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    for text in ("{ nothing }", "{ viewer {"):
        assert "errors" in (await client.post(apollo(text, sent=True))).body
        assert (await error_of(client, apollo(text)))[0] == NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        {"query": SERVICES, "documentId": id_of_text(VIEWER)},
        {"query": SERVICES, "documentId": id_of_text("{ unknown }")},
        {"query": SERVICES, "documentId": "chosen"},
        {"query": SERVICES, "documentId": "nowhere"},
        {**apollo(VIEWER), "query": SERVICES},
    ],
    ids=["published", "unknown", "chosen", "chosen and unknown", "Apollo"],
)
async def test_a_text_that_is_not_what_its_id_says_is_refused(
    shared_server: TetherServer, body: dict[str, Any]
) -> None:
    await publish(shared_server, VIEWER, chosen=VIEWER)
    assert await error_of(await shared_server.member(), body) == ("BAD_USER_INPUT", MISMATCH)


@pytest.mark.parametrize(
    ("asked", "message"),
    [(apollo("{ unknown }"), "PersistedQueryNotFound"), ({"documentId": id_of_text("{ unknown }")}, UNKNOWN_ID)],
    ids=["Apollo", "documentId"],
)
async def test_an_unknown_id_is_one_error_by_every_media_type(
    shared_server: TetherServer, asked: dict[str, Any], message: str
) -> None:
    client = await shared_server.member()
    for accept, status in ((JSON, 200), (RESPONSE_JSON, 400)):
        answer = await client.post(asked, accept=accept)
        assert (answer.status, set(answer.body), answer.error) == (status, {"errors"}, (NOT_FOUND, message))
    async with shared_server.socket(client.token) as socket:
        followed = socket.follow("1")
        await socket.send({"type": "subscribe", "id": "1", "payload": asked})
        assert await followed.error() == (NOT_FOUND, message)


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 1},
        {"documentId": ""},
        {"documentId": "a b"},
        {"documentId": "a" * 201},
        {"documentId": "md5:" + "0" * 32},
        {"documentId": "sha256:0"},
        {"documentId": id_of_text(VIEWER), "query": 1},
        {"documentId": "a", **apollo(VIEWER)},
        {"extensions": {"persistedQuery": "x"}},
        {"extensions": {"persistedQuery": {}}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": digest(VIEWER)}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": None}}},
        {"extensions": {}},
        {},
    ],
    ids=str,
)
async def test_an_id_that_is_none_is_a_bad_request(shared_server: TetherServer, body: dict[str, Any]) -> None:
    client = await shared_server.member()
    answer = await client.post(body)
    assert (answer.status, answer.error[0]) == (400, "BAD_USER_INPUT")
    async with shared_server.socket(client.token) as socket:
        await socket.send({"type": "subscribe", "id": "1", "payload": body})
        assert await socket.close_code() == 4400


async def test_outcomes_are_counted(shared_server: TetherServer) -> None:
    client, text = await shared_server.member(), "query Counted { services { name } }"
    before = {outcome: await counted(shared_server, outcome) for outcome in OUTCOMES}
    await publish(shared_server, VIEWER)
    for body in (apollo(text), apollo(text, sent=True), apollo(text), apollo(VIEWER), {**apollo(text), "query": "{ }"}):
        await client.post(body)
    assert {outcome: await counted(shared_server, outcome) - before[outcome] for outcome in OUTCOMES} == dict.fromkeys(
        OUTCOMES, 1
    )


# Nothing else


@pytest.fixture
async def requiring(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    variables = {"TETHER_TRUSTED_DOCUMENTS": "require", "TETHER_GET_QUERIES": "on"}
    async with running_tether(sqlite_url, sandbox, encryption_key, **variables) as server:
        yield server


async def test_where_publishing_is_required_nothing_else_is_answered(requiring: TetherServer) -> None:
    await publish(requiring, VIEWER, own=SERVICES)
    client = await requiring.member()
    refused = ("FORBIDDEN", ONLY_PUBLISHED)
    walk: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"query": SERVICES}, refused),
        ({"query": VIEWER}, refused),
        ({"query": INTROSPECTION}, refused),
        ({"query": "{"}, refused),
        ({"query": "{ __typename }"}, refused),
        (apollo(SERVICES), (NOT_FOUND, "PersistedQueryNotFound")),
        (apollo(SERVICES, sent=True), refused),
        (apollo(SERVICES), (NOT_FOUND, "PersistedQueryNotFound")),
        ({"documentId": id_of_text(SERVICES)}, (NOT_FOUND, UNKNOWN_ID)),
        ({"documentId": id_of_text(VIEWER), "query": SERVICES}, ("BAD_USER_INPUT", MISMATCH)),
        ({"query": EVENTS, "variables": {"id": await requiring.organization_id()}}, refused),
    ]
    async with requiring.socket(client.token) as socket:
        for number, (body, expected) in enumerate(walk):
            for accept, status in ((JSON, 200), (RESPONSE_JSON, 403 if expected == refused else 400)):
                answer: Answer = await client.post(body, accept=accept)
                assert (answer.status, set(answer.body), answer.error) == (status, {"errors"}, expected), body
            followed = socket.follow(str(number))
            await socket.send({"type": "subscribe", "id": followed.id, "payload": body})
            assert await followed.error() == expected, body
        # The published ones are: by their id, and with their text besides.
        for body in ({"documentId": "own"}, apollo(VIEWER), apollo(VIEWER, sent=True)):
            assert (await client.post(body)).data
            assert (await subscribed(socket, body, str(body)))["type"] == "next"


async def test_where_publishing_is_required_there_is_no_graphiql(requiring: TetherServer) -> None:
    page = await requiring.http.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "TETHER_TRUSTED_DOCUMENTS=require" in page.text
    start = await requiring.http.get("/")
    assert start.status_code == 200
    assert "GraphiQL" not in start.text
    bearer = {"Authorization": f"Bearer {await requiring.token()}"}
    for query in (SERVICES, INTROSPECTION):
        for accept in (JSON, RESPONSE_JSON, "text/event-stream", f"text/event-stream, {JSON}", "*/*"):
            headers = {**bearer, CSRF_HEADER: "1", "Accept": accept}
            got = await requiring.http.get("/graphql", params={"query": query}, headers=headers)
            posted = await requiring.http.post("/graphql", json={"query": query}, headers=headers)
            for answer in (got, posted):
                assert '"data":{' not in answer.text
                assert answer.status_code == 406 or "FORBIDDEN" in answer.text


async def test_where_ids_are_off_clients_are_told_to_send_texts(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_TRUSTED_DOCUMENTS="off") as server:
        await publish(server, SERVICES)
        client = await server.member()
        for body, message in ((apollo(SERVICES), "PersistedQueryNotSupported"), ({"documentId": "own"}, NO_IDS)):
            assert await error_of(client, body) == ("PERSISTED_QUERY_NOT_SUPPORTED", message)
        assert (await client.post(apollo(SERVICES, sent=True))).data


# Operators


async def test_an_operator_publishes_lists_and_retires(
    sqlite_url: str,
    sandbox: SandboxServer,
    encryption_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environ = {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": sqlite_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
    }
    file, hashed = tmp_path / "persisted-documents.json", id_of_text(VIEWER)

    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    async def documents(*arguments: str) -> tuple[int, list[str], list[str]]:
        """In a thread rather than a process, which takes its time to start."""
        monkeypatch.setattr(sys, "argv", ["tether", "documents", *arguments])
        exit_code = await asyncio.to_thread(command_line.main)
        written = capsys.readouterr()
        return exit_code, written.out.splitlines(), written.err.splitlines()

    file.write_text(json.dumps({digest(VIEWER): VIEWER, "own": SERVICES, "wrong": "{ nothing }"}), "utf-8")
    refused = await run_tether("documents", "publish", str(file), environ=environ)
    assert (refused.exit_code, refused.output) == (1, "")
    assert refused.errors.splitlines() == [
        "tether: wrong: Cannot query field 'nothing' on type 'Query'. (line 1)",
        "tether: Nothing was published.",
    ]
    async with running_tether(sqlite_url, sandbox, encryption_key) as server:
        assert await server.rows("trusted_documents") == []
        client = await server.member()
        file.write_text(json.dumps({digest(VIEWER): VIEWER}), "utf-8")
        assert await documents("publish", str(file)) == (0, ["Published 1: 1 new, 0 known."], [])
        assert (await client.post({"documentId": hashed})).data

        file.write_text(json.dumps({digest(VIEWER): VIEWER, "own": SERVICES}), "utf-8")
        assert await documents("publish", str(file)) == (0, ["Published 2: 1 new, 1 known."], [])
        exit_code, output, errors = await documents("list")
        assert (exit_code, [line.split()[:2] for line in output], errors) == (
            0,
            [["own", "Services,"], [hashed, "Viewer,"]],
            [],
        )
        file.write_text(json.dumps({"own": VIEWER}), "utf-8")
        exit_code, output, errors = await documents("publish", str(file))
        assert (exit_code, output) == (1, [])
        assert "own is published with another text" in errors[0]

        code, _, [error] = await documents("retire", digest(VIEWER), "nowhere")
        assert (code, error) == (1, "tether: No document is published by this id: nowhere.")
        assert await documents("retire", digest(VIEWER)) == (0, [hashed, "Retired 1."], [])

        async def gone() -> bool:
            return "errors" in (await client.post({"documentId": hashed})).body

        await eventually(gone)
        assert [row["id"] for row in await server.rows("trusted_documents")] == ["own"]


async def test_what_nobody_publishes_or_asks_for_is_retired_by_its_age(server: TetherServer) -> None:
    await publish(server, VIEWER, SERVICES, ORGANIZATION)
    long_ago, client = datetime.now(UTC) - timedelta(days=91), await server.member()
    await server.alter(update(trusted_documents).values(published_at=long_ago))
    await publish(server, VIEWER)
    assert (await client.post({"documentId": id_of_text(SERVICES)})).data

    async def used() -> bool:
        return any(row["used_at"] is not None for row in await server.rows("trusted_documents"))

    await eventually(used)
    trusted, days = server.tether.trusted_documents, timedelta(days=90)
    assert [each.id for each in await trusted.list(unused_for=days)] == [id_of_text(ORGANIZATION)]
    assert await trusted.retire_unused(days) == [id_of_text(ORGANIZATION)]
    assert await trusted.retire_unused(days) == []


async def test_manifests_that_are_published_at_once_are_both_there(server: TetherServer) -> None:
    documents = [(f"id-{number}", SERVICES, "Services") for number in range(20)]
    trusted = server.tether.trusted_documents
    publications = await asyncio.gather(*(trusted.publish(documents[each:] + documents[:each]) for each in range(4)))
    assert sum(each.new for each in publications) == 20
    assert len(await trusted.list()) == 20


async def test_a_published_document_may_cost_more_than_others_and_is_charged_all_the_same(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    text = 'query Dear { organization(by: {slug: "acme"}) { connections(first: 100) { nodes { id } } } }'
    variables = {"TETHER_MAX_COST": "20", "TETHER_BUDGET_POINTS_PER_MINUTE": "60"}
    async with running_tether(sqlite_url, sandbox, encryption_key, **variables) as server:
        await publish(server, text)
        client = await server.member()
        refused = (await client.execute(text)).body["errors"][0]["extensions"]
        assert refused["code"] == "COST_LIMIT_EXCEEDED"
        answer = await client.post({"documentId": id_of_text(text)})
        cost = answer.body["extensions"]["cost"]
        assert answer.body["data"]["organization"]["connections"]["nodes"] == []
        assert cost["requested"] == refused["cost"] > 20
        again = (await client.post({"documentId": id_of_text(text)})).body["extensions"]["cost"]
        assert again["remaining"] <= cost["remaining"] - cost["requested"] + 60  # of which some may be back


async def test_a_published_document_that_costs_more_than_a_budget_takes_all_of_it(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    text = '{ organization(by: {slug: "acme"}) { connections(first: 100) { nodes { id } } } }'
    variables = {"TETHER_MAX_COST": "50", "TETHER_BUDGET_POINTS": "50", "TETHER_BUDGET_POINTS_PER_MINUTE": "1"}
    async with running_tether(sqlite_url, sandbox, encryption_key, **variables) as server:
        client = await server.member()
        await publish(server, text)
        answer = await client.post({"documentId": id_of_text(text)})
        assert answer.data == {"organization": {"connections": {"nodes": []}}}
        cost = answer.body["extensions"]["cost"]
        assert (cost["requested"], cost["limit"], cost["remaining"]) == (50, 50, 0)
        assert (await error_of(client, {"documentId": id_of_text(text)}))[0] == "RATE_LIMITED"
