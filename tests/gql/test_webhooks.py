"""Webhooks from the address to the consequence: what is taken, what is refused, and what clients see of it."""

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from domain.entities.task import TaskKind
from domain.runner import PlannedWork, Runner
from gql.http.application import create_application
from gql.http.webhooks import LARGEST_WEBHOOK_BYTES, RETRY_AFTER_SECONDS
from persistence.tables import service_connections
from sandbox.serving import serving
from tests.gql.client import Answer, Client
from tests.gql.command import run_tether
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.waiting import eventually
from tests.persistence.cable import cable_to
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

SLACK_SECRETS = [secrets.token_hex(16) for _ in range(2)]
GITHUB_SECRET = secrets.token_hex(16)
JSON = "application/json"
TEAM = "T0123456789"
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def hooked(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """A server that takes webhooks of GitHub and Slack; Slack's secret is just being replaced by another."""
    async with _hooked(database_url, sandbox, encryption_key) as server:
        yield server


@asynccontextmanager
async def _hooked(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    variables = {
        "TETHER_GITHUB_WEBHOOK_SECRETS": GITHUB_SECRET,
        "TETHER_SLACK_SIGNING_SECRETS": ",".join(SLACK_SECRETS),
    }
    async with running_tether(database_url, sandbox, encryption_key, **variables) as server:
        yield server


def uninstalled(event_id: str, *, team: str = TEAM) -> bytes:
    """Slack's report that the app was removed from a workspace."""
    return slack_event(event_id, {"type": "app_uninstalled"}, team=team)


def slack_event(event_id: str, event: dict[str, Any], *, team: str = TEAM) -> bytes:
    envelope = {"type": "event_callback", "team_id": team, "event_id": event_id, "event": event}
    return json.dumps(envelope).encode()


def signed(body: bytes, *, secret: str = SLACK_SECRETS[0], age_seconds: int = 0) -> dict[str, str]:
    """The headers that Slack sends with a body."""
    timestamp = str(int(time.time()) - age_seconds)
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": JSON, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


async def send(server: TetherServer, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    return await server.http.post("/webhooks/slack", content=body, headers=signed(body) if headers is None else headers)


async def connected(
    server: TetherServer, client: Client, *, key: str = f"team:{TEAM}", service: str = "slack", **members: Any
) -> str:
    """The id of a connection that webhooks call so."""
    connection = await server.connect(client, service=service, **members)
    change = update(service_connections).where(service_connections.c.id == uuid_of(connection["id"]))
    await server.alter(change.values(webhook_key=key))
    id_: str = connection["id"]
    return id_


@asynccontextmanager
async def working(server: TetherServer) -> AsyncIterator[None]:
    """What is kept is processed."""
    async with Runner(server.tether.units_of_work, _plan(server), server.tether.clock, poll_seconds=0.02).working():
        yield


def _plan(server: TetherServer) -> dict[TaskKind, PlannedWork]:
    return {TaskKind.PROCESS_WEBHOOK: PlannedWork(server.tether.webhooks.run, timedelta(seconds=30), 4)}


async def status(client: Client, connection_id: str) -> tuple[str, str]:
    """With the reason's code."""
    query = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { status statusReason { code } } } }"
    node = (await client.data(query, id=connection_id))["node"]
    return node["status"], node["statusReason"]["code"]


async def becomes(client: Client, connection_id: str, wanted: tuple[str, str]) -> None:
    async def is_so() -> bool:
        return await status(client, connection_id) == wanted

    await eventually(is_so)


async def heard(client: Client, connection_id: str) -> Sequence[dict[str, Any]]:
    """The WEBHOOK_RECEIVED events of a connection, oldest first."""
    query = """query ($id: ID!) { node(id: $id) { ... on ServiceConnection {
      events(last: 50, filter: {types: [WEBHOOK_RECEIVED]}) { nodes { data actor { kind name } sequence } } } } }"""
    nodes: list[dict[str, Any]] = (await client.data(query, id=connection_id))["node"]["events"]["nodes"]
    return sorted(nodes, key=lambda event: event["sequence"])


# What is taken


async def test_a_signed_delivery_is_acknowledged_kept_and_then_moves_the_connection(hooked: TetherServer) -> None:
    client = await hooked.member()
    connection_id = await connected(hooked, client)
    body = uninstalled("Ev0001")

    assert (await send(hooked, body)).status_code == 202
    [kept] = await hooked.rows("webhook_deliveries")
    assert (kept["service"], kept["delivery_id"], kept["body"]) == ("slack", "Ev0001", body)

    async with working(hooked):
        await becomes(client, connection_id, ("REVOKED", "SLACK_APP_UNINSTALLED"))
    [event] = await heard(client, connection_id)
    assert event["actor"] == {"kind": "SERVICE", "name": "Slack"}
    assert event["data"] == {"service": "slack", "type": "app_uninstalled", "deliveryId": "Ev0001"}


async def test_a_repeat_is_acknowledged_and_has_no_second_effect(hooked: TetherServer) -> None:
    client = await hooked.member()
    connection_id = await connected(hooked, client)
    body = slack_event("Ev0001", {"type": "team_rename"})

    assert [(await send(hooked, body)).status_code for _ in range(3)] == [202, 200, 200]

    async with working(hooked):
        await eventually(lambda: heard(client, connection_id))
        last = slack_event("Ev0002", {"type": "team_rename"})
        assert (await send(hooked, last)).status_code == 202
        await eventually(lambda: _heard_of(client, connection_id, "Ev0002"))
    assert [event["data"]["deliveryId"] for event in await heard(client, connection_id)] == ["Ev0001", "Ev0002"]


async def test_what_is_really_the_services_is_counted_repeats_too(hooked: TetherServer) -> None:
    body = uninstalled("Ev1")
    for _ in range(2):
        await send(hooked, body)
    await hooked.http.post("/webhooks/slack", content=body, headers={"Content-Type": JSON})
    registry = hooked.tether.metrics.registry
    assert registry.get_sample_value("tether_webhooks_received_total", {"service": "slack"}) == 2


async def test_the_runner_of_the_process_that_took_it_needs_no_turn_of_its_own_to_find_it(hooked: TetherServer) -> None:
    client = await hooked.member()
    connection_id = await connected(hooked, client)
    body = uninstalled("Ev0001")

    runner = Runner(hooked.tether.units_of_work, _plan(hooked), hooked.tether.clock, poll_seconds=3_600)
    async with runner.working():
        async with serving(create_application(hooked.tether, wake_runner=runner.hint)) as url:
            assert (
                await hooked.http.post(f"{url}/webhooks/slack", content=body, headers=signed(body))
            ).status_code == 202
        await becomes(client, connection_id, ("REVOKED", "SLACK_APP_UNINSTALLED"))


async def test_what_our_app_sees_of_a_workspace_is_not_for_whoever_brings_a_token_of_it(hooked: TetherServer) -> None:
    acme, globex = await hooked.member(), await hooked.member(organization="globex")
    theirs = await connected(hooked, acme)
    account = {"id": TEAM, "login": "acme", "name": "Acme"}
    token = await hooked.credential("slack", account=account)
    organization_id = await hooked.organization_id("globex")
    brought = (await hooked.connect(globex, service="slack", token=token, organizationId=organization_id))["id"]
    message = {"type": "message", "user": "U2", "channel": "C3", "ts": "1700000000.000200", "text": "The merger is on."}

    async with working(hooked):
        assert (await send(hooked, slack_event("Ev0001", message))).status_code == 202
        assert (await send(hooked, uninstalled("Ev0002"))).status_code == 202
        await becomes(acme, theirs, ("REVOKED", "SLACK_APP_UNINSTALLED"))
        await eventually(lambda: _heard_of(acme, theirs, "Ev0001"))

    assert await heard(globex, brought) == []
    assert (await status(globex, brought))[0] == "ACTIVE"


async def test_both_secrets_count_while_one_is_replaced(hooked: TetherServer) -> None:
    answers = []
    for number, secret in enumerate([*SLACK_SECRETS, secrets.token_hex(16)]):
        body = uninstalled(f"Ev000{number}")
        answers.append((await send(hooked, body, signed(body, secret=secret))).status_code)
    assert answers == [202, 202, 401]


async def test_a_challenge_is_answered_with_its_text_only_if_it_is_signed(hooked: TetherServer) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "<b>3eZbrw1aBm2rZgRNFdxV</b>"}).encode()

    answer = await send(hooked, body)
    assert (answer.status_code, answer.text) == (200, "<b>3eZbrw1aBm2rZgRNFdxV</b>")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"

    assert (await send(hooked, body, signed(body, secret="guessed"))).status_code == 401
    assert await hooked.rows("webhook_deliveries") == []


# GitHub, as it happens


async def test_what_happens_to_an_installation_at_github_happens_to_its_connection(hooked: TetherServer) -> None:
    github, client = hooked.sandbox, await hooked.member()
    await github.put_github_app("700", slug="tether-of-acme")
    repositories = [{"id": number, "name": name} for number, name in enumerate(("api", "web", "app"), 7001)]
    account = {"id": 70, "login": "acme"}
    await github.put_installation(701, app_id="700", account=account, repositories=repositories[:1])
    app = {"appId": "700", "installationId": "701", "privateKey": await github.make_github_app_key("700")}
    connection_id = (await hooked.connect(client, credential={"githubApp": app}))["id"]

    await github.send_webhooks_to("github", f"{hooked.url}/webhooks/github", GITHUB_SECRET)
    async with working(hooked):
        await github.put_installation(701, suspended=True)
        await becomes(client, connection_id, ("INACTIVE", "GITHUB_SUSPENDED"))
        await github.put_installation(701, suspended=False)
        await becomes(client, connection_id, ("ACTIVE", "UNSUSPENDED"))

        await github.put_installation(701, repositories=repositories)
        await eventually(lambda: _reaches(client, connection_id, {"acme/web", "acme/app"}))
        await github.put_installation(701, repositories=repositories[:2])
        await eventually(lambda: _reaches(client, connection_id, {"acme/web"}))

        await github.remove_installation(701)
        await becomes(client, connection_id, ("REVOKED", "GITHUB_APP_UNINSTALLED"))

    told = [(event["data"]["type"], event["data"]["action"]) for event in await heard(client, connection_id)]
    assert told == [
        ("installation", "suspend"),
        ("installation", "unsuspend"),
        ("installation_repositories", "added"),
        ("installation_repositories", "removed"),
        ("installation", "deleted"),
    ]


async def test_a_delivery_of_github_counts_once_and_only_as_it_was_signed(hooked: TetherServer) -> None:
    body = json.dumps({"zen": "Keep it logically awesome."}).encode()
    digest = hmac.new(GITHUB_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": JSON,
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    answers = [
        (await hooked.http.post("/webhooks/github", content=content, headers=headers)).status_code
        for content in (body, body, body.replace(b" ", b""))
    ]
    assert answers == [202, 200, 401]


# What is refused


def _altered(headers: dict[str, str], **changed: str | None) -> dict[str, str]:
    named = {**headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return {name: value for name, value in named.items() if value is not None}


async def test_forged_and_stale_requests_are_all_refused_alike_and_leave_nothing(hooked: TetherServer) -> None:
    body = uninstalled("Ev0001")
    good = signed(body)
    forged: list[tuple[bytes, dict[str, str]]] = [
        (body, {"Content-Type": JSON}),
        (body, _altered(good, X_Slack_Signature=None) | {"X-Hub-Signature-256": "sha256=00"}),
        (body, {**good, "X-Slack-Signature": "v0=" + "0" * 64}),
        (body, {**good, "X-Slack-Signature": ""}),
        (body, {**good, "X-Slack-Request-Timestamp": str(int(time.time()) + 1)}),
        (body + b" ", good),  # as long as what it says is the same
        (json.dumps(json.loads(body), indent=1).encode(), good),
        (body, signed(body, secret="guessed")),
        (body, signed(body, age_seconds=400)),
        (body, signed(body, age_seconds=-400)),
    ]
    told = set()
    for content, headers in forged:
        answer = Answer(await send(hooked, content, headers))
        told.add((answer.status, answer.error))
    assert told == {(401, ("UNAUTHENTICATED", "The signature isn't valid."))}
    assert await hooked.rows("webhook_deliveries") == []
    assert await hooked.rows("tasks") == []


@pytest.mark.parametrize(
    ("body", "changed", "status_code", "message"),
    [
        (b"not json", {}, 400, "This isn't a webhook of the service."),
        (b'{"type": "block_actions"}', {}, 400, "This isn't a webhook of the service."),
        (b"payload=%7B%7D", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        (b"{}", {"Content-Type": ""}, 415, "application/json"),
        (b" " * (LARGEST_WEBHOOK_BYTES + 1), {}, 413, "larger than 1024 KiB"),
    ],
)
async def test_what_no_service_would_send_is_refused(
    sandbox: SandboxServer,
    encryption_key: str,
    sqlite_url: str,
    body: bytes,
    changed: dict[str, str],
    status_code: int,
    message: str,
) -> None:
    async with _hooked(sqlite_url, sandbox, encryption_key) as server:
        answer = Answer(await send(server, body, signed(body) | changed))
        assert answer.status == status_code
        code, told = answer.error
        assert code == "BAD_USER_INPUT"
        assert message in told


async def test_a_body_of_unannounced_length_is_cut_off_at_the_limit(
    sandbox: SandboxServer, encryption_key: str, sqlite_url: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_WEBHOOK_BYTES // 65536 + 1):
            yield b" " * 65536

    async with _hooked(sqlite_url, sandbox, encryption_key) as server:
        answer = await server.http.post("/webhooks/slack", content=chunks(), headers={"Content-Type": JSON})
        assert answer.status_code == 413


async def test_only_services_whose_secret_is_set_have_an_address(shared_server: TetherServer) -> None:
    for path in ("/webhooks/slack", "/webhooks/unknown", "/webhooks/", "/webhooks/slack/more"):
        answer = Answer(await shared_server.http.post(path, content=b"{}", headers={"Content-Type": JSON}))
        assert (answer.status, answer.error[0]) == (404, "BAD_USER_INPUT")


async def test_webhooks_are_posted(shared_server: TetherServer) -> None:
    assert (await shared_server.http.get("/webhooks/slack")).status_code == 405


# Where


async def test_the_address_to_register_stands_in_the_catalogue_and_in_documents(hooked: TetherServer) -> None:
    client = await hooked.member()
    connection = await hooked.connect(client, service="slack", selection="service { id webhookUrl }")
    public_url = hooked.tether.settings.public_url

    expected = f"{public_url}/webhooks/slack"
    assert connection["service"] == {"id": "slack", "webhookUrl": expected}
    services = (await client.data("{ services { id webhookUrl } }"))["services"]
    assert {"id": "slack", "webhookUrl": expected} in services


# When something fails


@postgresql_only
async def test_while_the_database_is_gone_services_are_told_to_come_again_and_forgers_nothing(
    database_url: str, sandbox: SandboxServer, encryption_key: str, tmp_path: Path
) -> None:
    body = uninstalled("Ev0001")
    async with (
        cable_to(database_url, tmp_path) as cable,
        _hooked(cable.url, sandbox, encryption_key) as server,
    ):
        await cable.cut()
        answer = Answer(await send(server, body))
        assert (answer.status, answer.error[0]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.response.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
        assert (await send(server, body, signed(body, secret="guessed"))).status_code == 401

        await cable.mend()
        assert await eventually(lambda: _is_taken(server, body))
        assert [row["delivery_id"] for row in await server.rows("webhook_deliveries")] == ["Ev0001"]


async def test_the_log_names_a_refusal_once_and_nothing_of_any_body(
    hooked: TetherServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx2")  # what this test calls with
    client = await hooked.member()
    connection_id = await connected(hooked, client)
    canary = f"Canary{secrets.token_hex(8)}"
    message = slack_event(
        "Ev0001", {"type": "message", "text": "hello", "ts": "1.2", "channel": "C1", "secret": canary}
    )

    for _ in range(3):
        assert (await send(hooked, message, signed(message, secret="guessed"))).status_code == 401
    async with working(hooked):
        assert (await send(hooked, message)).status_code == 202
        await eventually(lambda: heard(client, connection_id))

    refusals = [record.getMessage() for record in caplog.records if record.name == "gql.http.webhooks"]
    assert refusals == ["A webhook for slack was refused: SIGNATURE_WRONG. Is its secret the one set here?"]
    assert canary not in caplog.text
    assert canary not in json.dumps(await heard(client, connection_id))


# Replay


async def test_an_operator_has_stored_deliveries_processed_again(
    sandbox: SandboxServer, encryption_key: str, sqlite_url: str
) -> None:
    environ = {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": sqlite_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
        "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
    }
    async with _hooked(sqlite_url, sandbox, encryption_key) as server:
        client = await server.member()
        async with working(server):
            for event_id in ("Ev0001", "Ev0002"):
                assert (await send(server, uninstalled(event_id))).status_code == 202
            await eventually(lambda: _nothing_to_do(server))
        connection_id = await connected(server, client)  # too late to have heard

        one = await run_tether("webhooks", "replay", "--delivery", "Ev0001", environ=environ)
        assert (one.exit_code, one.errors) == (0, "")
        [line, summary] = one.output.splitlines()
        assert line.startswith("slack app_uninstalled Ev0001, received 20")
        assert line.endswith("UTC: processed")
        assert summary == "Put back to be processed: 1"
        all_of_them = await run_tether("webhooks", "replay", "--since", "2026-01-01T00:00:00Z", environ=environ)
        assert all_of_them.output.splitlines()[-1] == "Put back to be processed: 2"

        async with working(server):
            await eventually(lambda: _nothing_to_do(server))
        assert {event["data"]["deliveryId"] for event in await heard(client, connection_id)} == {"Ev0001", "Ev0002"}
        assert len(await heard(client, connection_id)) == 2
        # The service has accepted the credential since: what it reported before is old news.
        assert (await status(client, connection_id))[0] == "ACTIVE"

        for arguments in (["--delivery", "Ev0003"], ["--delivery", "Ev0001", "--service", "github"]):
            none = await run_tether("webhooks", "replay", *arguments, environ=environ)
            assert (none.exit_code, none.output) == (1, "")
            assert none.errors.startswith("tether: No such webhook is stored.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--service", "slack"],
        ["--since", "yesterday"],
        ["--since", "2026-01-01"],
        ["--since", "2026-01-01T00:00:00Z", "--delivery", "Ev1"],
    ],
)
async def test_a_replay_has_to_say_of_what(arguments: list[str]) -> None:
    refused = await run_tether("webhooks", "replay", *arguments)
    assert refused.exit_code == 2


async def _heard_of(client: Client, connection_id: str, event_id: str) -> bool:
    return any(event["data"]["deliveryId"] == event_id for event in await heard(client, connection_id))


async def _reaches(client: Client, connection_id: str, names: set[str]) -> bool:
    query = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { repositories { nodes { fullName } } } } }"
    nodes = (await client.data(query, id=connection_id))["node"]["repositories"]["nodes"]
    return {node["fullName"] for node in nodes} == names


async def _is_taken(server: TetherServer, body: bytes) -> bool:
    return (await send(server, body)).status_code == 202


async def _nothing_to_do(server: TetherServer) -> bool:
    return not [row for row in await server.rows("tasks") if row["kind"] == "PROCESS_WEBHOOK"]
