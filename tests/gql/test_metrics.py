"""/metrics: that what happens is counted, that labels are bounded, and who may read it."""

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.entities.user import Role
from gql.background_work import BackgroundWork
from gql.metrics import OTHER, Metrics
from persistence.statement_watch import KINDS
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.gql.waiting import eventually
from tests.persistence.cable import cable_to
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

FOLLOW = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { type } }"
PAGE = '{ organization(by: {slug: "acme"}) { connections(first: 10) { nodes { id name } } } }'


class Scrape:
    """All samples of one reading."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """0 for what hasn't happened."""
        return self._samples.get((name, frozenset(labels.items())), 0.0)

    def labels(self, label: str) -> set[str]:
        return {value for _, labels in self._samples for name, value in labels if name == label}


async def scrape(server: TetherServer, headers: Mapping[str, str] | None = None) -> Scrape:
    response = await server.http.get("/metrics", headers=headers or {})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(response.text)


@pytest.fixture
async def client(server: TetherServer) -> Client:
    return await server.member(Role.OWNER)


async def test_operations_are_counted_by_kind_and_outcome_and_those_that_end_are_timed(
    server: TetherServer, client: Client
) -> None:
    await server.connect(client)
    await client.data(PAGE)
    assert (await client.execute("{ nope }")).status == 200
    assert (await client.execute('{ node(id: "')).status == 200
    assert (await server.client("wrong").execute(PAGE)).status == 200
    read = await scrape(server)

    def counted(kind: str, outcome: str) -> float:
        return read.value("tether_graphql_requests_total", kind=kind, outcome=outcome)

    assert (counted("mutation", "OK"), counted("query", "OK")) == (1, 1)
    assert counted("unreadable", "GRAPHQL_VALIDATION_FAILED") == 1
    assert counted("unreadable", "GRAPHQL_PARSE_FAILED") == 1
    assert counted("query", "UNAUTHENTICATED") == 1
    assert read.value("tether_graphql_request_duration_seconds_count", kind="mutation") == 1
    assert read.value("tether_graphql_cost_points_count", kind="query") == 1
    assert read.value("tether_graphql_cost_points_sum", kind="mutation") > 500


async def test_calls_and_statements_are_counted(server: TetherServer, client: Client) -> None:
    await server.connect(client)
    await server.sandbox.put_token("failing", service="github", behaviour="server_error")
    await server.creation_error(client, "failing")
    read = await scrape(server)
    assert read.value("tether_calls_total", service="github", outcome="2XX") == 1
    assert read.value("tether_calls_total", service="github", outcome="5XX") == 1
    assert read.value("tether_call_duration_seconds_count", service="github") == 2
    for kind in ("READ", "INSERT", "SELECT", "COMMIT"):
        assert read.value("tether_statement_duration_seconds_count", kind=kind) > 0
    assert read.value("tether_database_connections_limit", pool="DOCUMENTS") == 8

    async def given_back() -> bool:  # that a key was used is noted beside the requests
        return (await scrape(server)).value("tether_database_connections_in_use", pool="WRITING") == 0

    await eventually(given_back)


async def test_work_that_waits_is_seen_and_what_is_done_is_counted(server: TetherServer, client: Client) -> None:
    await server.connect(client)
    before = await scrape(server)
    assert before.value("tether_tasks_due", kind="SYNC_REPOSITORIES") == 1
    assert before.value("tether_tasks_oldest_due_seconds", kind="SYNC_REPOSITORIES") > 0
    async with BackgroundWork(server.tether).working():

        async def synced() -> Scrape | None:
            read = await scrape(server)
            done = read.value("tether_tasks_total", kind="SYNC_REPOSITORIES", outcome="DONE")
            return read if done and not read.value("tether_tasks_due", kind="SYNC_REPOSITORIES") else None

        after = await eventually(synced)
    assert after.value("tether_task_duration_seconds_count", kind="SYNC_REPOSITORIES") == 1


async def test_sockets_and_subscribers_are_seen_while_they_are_there(server: TetherServer, client: Client) -> None:
    def standing(read: Scrape) -> tuple[float, float]:
        return read.value("tether_graphql_sockets"), read.value("tether_feed_subscribers")

    async def is_standing(*expected: float) -> None:
        async def same() -> bool:
            return standing(await scrape(server)) == expected

        await eventually(same)

    async with server.subscribe(client, FOLLOW, id=await server.organization_id()):
        await is_standing(1, 1)
        assert (await scrape(server)).value("tether_feed_lag_seconds") < 10
    await is_standing(0, 0)
    read = await scrape(server)
    assert read.value("tether_feed_lag_seconds") == 0
    assert read.value("tether_graphql_requests_total", kind="subscription", outcome="OK") == 1
    assert read.value("tether_graphql_request_duration_seconds_count", kind="subscription") == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_metrics_are_there_while_the_database_is_not(
    database_url: str, sandbox: SandboxServer, encryption_key: str, tmp_path: Path
) -> None:
    async with (
        cable_to(database_url, tmp_path) as cable,
        running_tether(cable.url, sandbox, encryption_key) as server,
    ):
        assert (await scrape(server)).value("tether_database_up") == 1
        await cable.cut()

        async def noticed() -> Scrape | None:
            read = await scrape(server)
            return None if read.value("tether_database_up") else read

        assert "tether_tasks_due{" not in (await eventually(noticed)).text
        await cable.mend()


async def test_no_label_is_of_what_people_choose(server: TetherServer, client: Client) -> None:
    canary = f"Canary{secrets.token_hex(8)}"
    await client.post({"query": f"query {canary} {PAGE}", "operationName": canary})
    await client.post({"query": "{ viewer { user { id } } }", "operationName": canary})
    await client.user_error(
        "createConnection",
        organizationId=await server.organization_id(),
        service=canary,
        credential={"token": {"token": canary}},
    )
    server.tether.metrics.called(canary, "2XX", 0.1)
    server.tether.metrics.checked(canary, "PASSED", 0.1)
    read = await scrape(server)
    assert canary not in read.text
    assert read.labels("service") <= {service.id for service in server.tether.catalogue} | {OTHER}
    assert read.labels("pool") <= {"DOCUMENTS", "WRITING", "READING"}


def test_what_the_health_worker_tells_is_kept() -> None:
    metrics = Metrics()
    metrics.know_services(["github"])
    metrics.checked(service="github", outcome="HEALTHY", seconds=0.2)
    metrics.check_lag(seconds=3.0)
    metrics.checks_claimed(service="github", count=50)
    metrics.lease_lost(kind="CHECK")
    metrics.breaker(service="github", state="OPEN")
    metrics.breaker(service="github", state="HALF_OPEN")

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert value("tether_checks_total", service="github", outcome="HEALTHY") == 1
    assert value("tether_check_duration_seconds_sum", service="github") == 0.2
    assert value("tether_check_lag_seconds_sum") == 3
    assert value("tether_checks_claimed_total", service="github") == 50
    assert value("tether_leases_lost_total", kind="CHECK") == 1
    states = {state: value("tether_breaker_state", service="github", state=state) for state in ("OPEN", "HALF_OPEN")}
    assert states == {"OPEN": 0, "HALF_OPEN": 1}
    assert value("tether_breaker_changes_total", service="github", state="OPEN") == 1
    for kind in KINDS:
        metrics.statement(kind, 0.001)


# Who may read


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "tether.example.com"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"X-Real-IP": "203.0.113.7"},
    ],
    ids=str,
)
async def test_without_a_token_only_this_machine_reads(shared_server: TetherServer, headers: dict[str, str]) -> None:
    await scrape(shared_server)
    refused = await shared_server.http.get("/metrics", headers=headers)
    nowhere = await shared_server.http.get("/nowhere", headers=headers)
    assert refused.status_code == 404
    assert _without_id(refused) == _without_id(nowhere)


async def test_with_a_token_set_it_is_needed_from_everywhere(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gql")
    token = secrets.token_urlsafe()
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_METRICS_TOKEN=token) as server:
        for sent in (None, "Bearer wrong", f"Bearer {token[:-1]}", f"Basic {token}", token, "Bearer é"):
            headers = {} if sent is None else {"Authorization": sent.encode()}
            refused = await server.http.get("/metrics", headers=headers)  # type: ignore[arg-type]
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert "TETHER_METRICS_TOKEN" in refused.json()["errors"][0]["message"]
        read = await scrape(server, {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.7"})
    assert token not in read.text
    assert token not in repr(server.tether.settings)
    assert token not in caplog.text


def _without_id(response: httpx2.Response) -> Any:
    [error] = response.json()["errors"]
    return {**error, "extensions": {**error["extensions"], "requestId": "…"}}
