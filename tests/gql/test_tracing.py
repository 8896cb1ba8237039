"""Traces: which spans there are and how they nest; that they tell no secret; and that they are off unless asked for."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gql.background_work import BackgroundWork
from gql.open_telemetry import OpenTelemetryTracing
from gql.operator_error import OperatorError
from gql.settings import TracingTarget
from gql.tracing import tracing_to
from tests.gql.command import run_tether, tether_serve
from tests.gql.server import TetherServer, running_tether
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

CREATE = """mutation Connect($input: CreateConnectionInput!) {
  createConnection(input: $input) { connection { id name } userErrors { message } } }"""


class Traced:
    """A server whose finished spans are kept."""

    def __init__(self, server: TetherServer, exporter: InMemorySpanExporter) -> None:
        self.server = server
        self._exporter = exporter

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def within(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Its children."""
        assert parent.context is not None
        return [
            span for span in self.spans if span.parent is not None and span.parent.span_id == parent.context.span_id
        ]


@pytest.fixture
async def traced(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[Traced]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with running_tether(database_url, sandbox, encryption_key, OpenTelemetryTracing(provider)) as server:
        yield Traced(server, exporter)


async def test_a_mutation_holds_its_statements_and_its_call(traced: Traced) -> None:
    client = await traced.server.member()
    token = await traced.server.credential()
    given = {
        "organizationId": await traced.server.organization_id(),
        "service": "github",
        "credential": {"token": {"token": token}},
    }
    await client.data(CREATE, input=given)
    [operation] = traced.named("operation")
    assert operation.parent is None
    attributes = dict(operation.attributes or {})
    assert len(str(attributes.pop("graphql.document.hash"))) == 16
    assert attributes == {
        "graphql.operation.type": "mutation",
        "graphql.operation.name": "Connect",
        "tether.operation.outcome": "OK",
    }
    within = traced.within(operation)
    [call] = [span for span in within if span.name == "call"]
    assert call.attributes == {
        "tether.service": "github",
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    statements = [dict(span.attributes or {}) for span in within if span.name == "statement"]
    assert {"SELECT", "INSERT", "COMMIT", "READ"} <= {each["db.operation.name"] for each in statements}
    assert {each["db.system.name"] for each in statements} == {traced.server.tether.database.dialect_name}
    hashes = {each["tether.statement.hash"] for each in statements if each["db.operation.name"] != "COMMIT"}
    assert all(len(str(each)) == 16 for each in hashes)


async def test_a_task_holds_what_it_does(traced: Traced) -> None:
    await traced.server.connect(await traced.server.member())

    async def synced() -> ReadableSpan | None:
        return next(
            (
                each
                for each in traced.named("task")
                if (each.attributes or {})["tether.task.kind"] == "SYNC_REPOSITORIES"
            ),
            None,
        )

    async with BackgroundWork(traced.server.tether).working():
        task = await eventually(synced)
    assert task.parent is None
    assert (task.attributes or {})["tether.task.outcome"] == "DONE"
    assert {span.name for span in traced.within(task)} == {"call", "statement"}


async def test_no_span_tells_a_secret_an_id_or_what_an_exception_says(traced: Traced) -> None:
    server, canary = traced.server, f"Canary{secrets.token_hex(16)}"
    client = await server.member()
    organization_id = await server.organization_id()
    for behaviour in ("ok", "revoked", "server_error", "garbage_html"):
        token = f"{canary}{behaviour}"
        await server.sandbox.put_token(
            token, service="github", **({} if behaviour == "ok" else {"behaviour": behaviour})
        )
        given = {
            "organizationId": organization_id,
            "service": "github",
            "name": f"{canary} {behaviour}",
            "credential": {"token": {"token": token}},
        }
        await client.execute(CREATE, input=given)
    await client.post({"query": "{ viewer { user { id } } }", "operationName": canary})
    await client.post({"query": f'{{ node(id: "{canary}") {{ id }} }}'})
    await client.post({"query": f"{{ {canary}"})
    assert client.token is not None
    assert len(traced.named("operation")) == 7
    for span in traced.spans:
        told = f"{span.name} {dict(span.attributes or {})} {span.status.description} {span.events}"
        for secret in (canary, client.token, organization_id, organization_id.removeprefix("org_")):
            assert secret not in told
        assert span.events == ()


async def test_what_fails_is_marked_by_the_class_of_its_exception(traced: Traced) -> None:
    tracing = traced.server.tether.observation.tracing
    with pytest.raises(ValueError, match="secret"), tracing.span("work", {}):
        raise ValueError("a secret")
    [span] = traced.named("work")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert span.attributes == {"error.type": "ValueError"}


async def test_spans_go_to_the_collector_that_opentelemetrys_own_variables_name(
    sqlite_url: str, encryption_key: str
) -> None:
    received: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        received.put_nowait((head.decode().splitlines()[0], await reader.readexactly(int(length.split(b":")[1]))))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as collector:
        port = collector.sockets[0].getsockname()[1]
        environ = {
            "TETHER_ENVIRONMENT": "development",
            "TETHER_DATABASE_URL": sqlite_url,
            "TETHER_ENCRYPTION_KEY": encryption_key,
            "TETHER_TRACING": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        async with tether_serve(environ):
            pass
        line, body = received.get_nowait()
    assert line == "POST /v1/traces HTTP/1.1"
    assert b"tether" in body
    assert b"db.operation.name" in body


async def test_start_up_says_what_to_install(
    sqlite_url: str, encryption_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "gql.open_telemetry")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(OperatorError, match=r"pip install 'tether\[tracing\]'"):
        async with tracing_to(TracingTarget.OTLP):
            pass


async def test_nothing_of_opentelemetry_is_imported_where_it_is_off() -> None:
    program = (
        "import sys, gql.commands.serve, gql.commands.doctor; "
        "sys.exit(any(name.partition('.')[0] == 'opentelemetry' for name in sys.modules))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0


async def test_a_word_that_is_none_is_refused(sqlite_url: str, encryption_key: str) -> None:
    environ = {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": sqlite_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
        "TETHER_TRACING": "jaeger",
        "TETHER_LOG_FORMAT": "xml",
        "TETHER_METRICS_TOKEN": "short",
    }
    finished = await run_tether("serve", environ=environ)
    assert finished.exit_code == 1
    assert sorted(finished.errors.splitlines()) == [
        "tether: TETHER_LOG_FORMAT: Write json or text, not 'xml'.",
        "tether: TETHER_METRICS_TOKEN: Write at least 16 characters, such as 32 random ones.",
        "tether: TETHER_TRACING: Write off or otlp, not 'jaeger'.",
    ]
