"""/livez and /readyz, and what every HTTP answer of Tether carries."""

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine, event, update
from sqlalchemy.schema import DropTable

from domain.key_ring import KeyRing, LocalKeyProvider, generate_key
from gql.bootstrap import NotMigrated, running
from gql.settings import Settings
from persistence import migrations
from persistence.tables import data_keys
from tests.gql.server import TetherServer, running_tether
from tests.gql.waiting import eventually
from tests.postgresql import PostgresqlServer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

READY = {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "key": "ok"}}


async def not_ready(server: TetherServer) -> dict[str, Any]:
    """The first answer of /readyz that isn't a good one."""

    async def ask() -> httpx2.Response | None:
        response = await server.http.get("/readyz")
        return None if response.status_code == 200 else response

    response = await eventually(ask)
    assert response.status_code == 503
    body: dict[str, Any] = response.json()
    return body


async def test_a_running_tether_lives_and_is_ready(server: TetherServer) -> None:
    livez, readyz = await server.http.get("/livez"), await server.http.get("/readyz")
    assert (livez.status_code, livez.json()) == (200, {"status": "alive"})
    assert (readyz.status_code, readyz.json()) == (200, READY)


async def test_a_database_of_another_revision_is_not_ready(server: TetherServer, database_url: str) -> None:
    assert (await server.http.get("/readyz")).json() == READY
    await asyncio.to_thread(migrations.downgrade, database_url, "base")
    assert await not_ready(server) == {
        "status": "not ready",
        "checks": {"database": "ok", "migrations": "failed", "key": "unknown"},
    }
    assert (await server.http.get("/livez")).status_code == 200


async def test_a_key_that_does_not_open_the_data_key_is_not_ready(server: TetherServer) -> None:
    other = KeyRing.generate(LocalKeyProvider(secrets.token_bytes(32)))
    await server.alter(update(data_keys).values(wrapped=other.wrapped, provider_id=other.provider_id))
    answer = await not_ready(server)
    assert answer == {"status": "not ready", "checks": {"database": "ok", "migrations": "ok", "key": "failed"}}


async def test_a_data_key_that_this_process_has_not_got_is_not_ready(server: TetherServer) -> None:
    other = KeyRing.generate(server.tether.key_provider)
    await server.alter(update(data_keys).values(id=other.id, wrapped=other.wrapped))
    assert (await not_ready(server))["checks"]["key"] == "failed"


async def test_a_database_that_is_gone_is_not_ready_and_nothing_of_it_is_told(
    postgresql_server: PostgresqlServer, postgresql_template: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    name = await asyncio.to_thread(postgresql_server.create_database, postgresql_template)
    async with running_tether(postgresql_server.url(name), sandbox, encryption_key) as server:
        assert (await server.http.get("/readyz")).json() == READY
        await asyncio.to_thread(postgresql_server.drop_database, name)
        assert await not_ready(server) == {
            "status": "not ready",
            "checks": {"database": "failed", "migrations": "unknown", "key": "unknown"},
        }
        assert (await server.http.get("/livez")).status_code == 200


async def test_nobody_keeps_the_database_busy_by_asking(server: TetherServer) -> None:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answers = await asyncio.gather(*(server.http.get("/readyz") for _ in range(20)))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert [answer.json() for answer in answers] == [READY] * 20
    assert len([statement for statement in statements if "FROM data_keys" in statement]) == 1


async def test_a_fault_is_answered_in_json_and_logged_with_the_id_of_the_request(
    server: TetherServer, caplog: pytest.LogCaptureFixture
) -> None:
    await server.alter(DropTable(data_keys))
    response = await server.http.get("/readyz")
    request_id = response.headers["x-request-id"]
    assert response.status_code == 500
    assert response.json() == {
        "errors": [
            {
                "message": f"Something went wrong in Tether. Its operators find it in their logs by {request_id}.",
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
            }
        ]
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == f"Request {request_id} failed"


async def test_nothing_opens_a_database_without_tables(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "TETHER_ENVIRONMENT": "development",
            "TETHER_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/empty.db",
            "TETHER_ENCRYPTION_KEY": generate_key(),
        }
    )
    with pytest.raises(NotMigrated, match="`tether migrate`"):
        async with running(settings):
            pass


# Every answer


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/nowhere", "/graphql"])
async def test_every_answer_has_an_id_of_its_own_and_safe_headers(shared_server: TetherServer, path: str) -> None:
    first, second = await shared_server.http.get(path), await shared_server.http.get(path)
    ids = [response.headers["x-request-id"] for response in (first, second)]
    assert ids[0] != ids[1]
    for request_id in ids:
        assert re.fullmatch(r"[0-9a-f]{32}", request_id)
    assert "server" not in first.headers
    assert {name: first.headers[name] for name in ("x-content-type-options", "referrer-policy", "x-frame-options")} == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "x-frame-options": "DENY",
    }
    assert first.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nowhere", 404, "There is nothing at this address. GraphQL is at /graphql."),
        ("POST", "/graphql/", 404, "There is nothing at this address. GraphQL is at /graphql."),
        ("POST", "/readyz", 405, "POST isn't answered here."),
    ],
)
async def test_what_is_not_answered_is_refused_in_the_form_of_graphql(
    shared_server: TetherServer, method: str, path: str, status: int, message: str
) -> None:
    response = await shared_server.http.request(method, path)
    assert response.status_code == status
    assert response.json() == {
        "errors": [
            {
                "message": message,
                "extensions": {"code": "BAD_USER_INPUT", "requestId": response.headers["x-request-id"]},
            }
        ]
    }
