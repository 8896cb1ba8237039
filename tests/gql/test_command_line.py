"""The command `tether`, run as operators and scripts run it: a process, its exit code and what it writes."""

import asyncio
import os
import socket
import time
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from domain.key_ring import generate_key, parse_key
from gql.commands.serve import SHUTDOWN_TIMEOUT_SECONDS
from gql.schema import build_schema
from persistence import migrations
from persistence.database import Database
from persistence.tables import metadata
from tests.every_row import every_row
from tests.gql.command import run_tether, tether_serve
from tests.gql.server import TetherServer
from tests.gql.signing_in import CSRF, WHO
from tests.gql.web_socket import open_socket
from tests.local_issuer import running_local_issuer
from tests.plain_http import NO_TLS
from tests.postgresql import PostgresqlServer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

SERVICES = ("GitHub", "Slack", "GitLab")
TOKEN = ("token", "--organization", "acme", "--user", "ada@acme.example", "--role", "ADMIN")
REPLAY = ("webhooks", "replay", "--delivery", "Ev1")


@pytest.fixture
def environ(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> dict[str, str]:
    """Development on a migrated SQLite database, with the sandbox."""
    return {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": sqlite_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
        "TETHER_GITHUB_URL": sandbox.github_url,
        "TETHER_GITHUB_API_URL": sandbox.github_api_url,
        "TETHER_SLACK_URL": sandbox.slack_url,
        "TETHER_SLACK_API_URL": sandbox.slack_api_url,
        "TETHER_GITLAB_URL": sandbox.gitlab_url,
        "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
    }


def production(environ: dict[str, str]) -> dict[str, str]:
    return environ | {
        "TETHER_ENVIRONMENT": "production",
        "TETHER_ENCRYPTION_KEY": generate_key(),
        "TETHER_PUBLIC_URL": "https://tether.example.com",
    }


async def contents(environ: dict[str, str]) -> dict[str, list[object]]:
    """Every row of every table."""
    async with Database(environ["TETHER_DATABASE_URL"]) as database, every_row(database) as connection:
        return {table.name: [*await connection.execute(select(table))] for table in metadata.sorted_tables}


async def count(database_url: str, table: str) -> int:
    async with Database(database_url) as database, every_row(database) as connection:
        number: int = (await connection.execute(select(func.count()).select_from(metadata.tables[table]))).scalar_one()
        return number


# Help, and what can't be understood


@pytest.mark.parametrize(
    "command",
    [[], ["serve"], ["migrate"], ["schema"], ["keys"], ["keys", "generate"], ["token"], ["sample"], ["doctor"]],
    ids=lambda command: " ".join(command),
)
async def test_help_has_an_example(command: list[str]) -> None:
    finished = await run_tether(*command, "--help")
    assert (finished.exit_code, finished.errors) == (0, "")
    assert "Example: " in finished.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["start"], "invalid choice: 'start'"),
        (["serve", "--port", "80000"], "a port is a number from 0 to 65535"),
        (["token", "--organization", "acme"], "the following arguments are required: --user, --role"),
        ([*TOKEN[:-1], "GOD"], "a role is one of OWNER, ADMIN, MEMBER, VIEWER"),
    ],
)
async def test_a_call_that_cannot_be_understood_ends_with_2(arguments: list[str], message: str) -> None:
    finished = await run_tether(*arguments)
    assert (finished.exit_code, finished.output) == (2, "")
    assert message in finished.errors


@pytest.mark.parametrize(
    "command", [("serve",), ("worker",), ("migrate",), TOKEN, ("sample",), REPLAY], ids=lambda command: command[0]
)
async def test_settings_that_are_missing_are_named_a_line_each(command: tuple[str, ...]) -> None:
    finished = await run_tether(*command, preloaded=False)
    assert (finished.exit_code, finished.output) == (1, "")
    assert [line.split()[:2] for line in finished.errors.splitlines()] == [
        ["tether:", "TETHER_DATABASE_URL"],
        ["tether:", "TETHER_ENCRYPTION_KEY"],
        ["tether:", "TETHER_PUBLIC_URL"],
    ]


# What needs no settings


async def test_schema_prints_the_schema_without_any_settings() -> None:
    finished = await run_tether("schema", preloaded=False)
    assert (finished.exit_code, finished.errors) == (0, "")
    assert finished.output == build_schema().as_str().rstrip("\n") + "\n"


async def test_keys_are_new_each_time_and_say_if_they_are_for_development() -> None:
    first, second = await run_tether("keys", "generate"), await run_tether("keys", "generate", preloaded=False)
    development = await run_tether("keys", "generate", "--development")
    keys = [parse_key(finished.output) for finished in (first, second, development)]
    assert len({key.key for key in keys}) == 3
    assert [key.development for key in keys] == [False, False, True]


# The database


async def test_a_database_is_migrated_before_it_is_used(database_url: str, environ: dict[str, str]) -> None:
    environ["TETHER_DATABASE_URL"] = database_url
    await asyncio.to_thread(migrations.downgrade, database_url, "base")
    for command in (TOKEN, ("serve", "--port", "0"), ("sample",)):
        early = await run_tether(*command, environ=environ)
        assert (early.exit_code, early.output, early.errors) == (
            1,
            "",
            "tether: The database has no tables of Tether yet. Create them with `tether migrate`.\n",
        )
    for _ in range(2):
        migrated = await run_tether("migrate", environ=environ)
        assert (migrated.exit_code, migrated.errors) == (0, "")
        assert migrated.output == f"The database is at revision {migrations.head()}.\n"
    assert (await run_tether(*TOKEN, environ=environ)).exit_code == 0


async def test_a_database_that_does_not_answer_is_told_without_its_password(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environ["TETHER_DATABASE_URL"] = f"postgresql+asyncpg://tether:canary@127.0.0.1:{port}/tether"
    for command in (("migrate",), TOKEN, ("serve", "--port", "0")):
        finished = await run_tether(*command, environ=environ)
        assert (finished.exit_code, finished.output) == (1, "")
        assert finished.errors.startswith("tether: Tether can't reach its database.")
        assert "(ConnectionRefusedError: [Errno 111] Connect" in finished.errors
        assert len(finished.errors.splitlines()) == 1
        assert "canary" not in finished.errors


async def test_a_file_that_is_no_database_is_told_in_a_line(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    file.write_text("no database, but text that is long enough to be one\n" * 100, "ascii")
    environ["TETHER_DATABASE_URL"] = f"sqlite+aiosqlite:///{file}"
    for command in (("migrate",), TOKEN, ("serve", "--port", "0")):
        finished = await run_tether(*command, environ=environ)
        assert (finished.exit_code, finished.output) == (1, "")
        assert finished.errors.endswith("(DatabaseError: file is not a database)\n")
        assert len(finished.errors.splitlines()) == 1
    doctor = await run_tether("doctor", environ=environ)
    assert (doctor.exit_code, doctor.errors) == (1, "")
    assert "(DatabaseError: file is not a database) Check TETHER_DATABASE_URL." in doctor.output


async def test_no_file_is_made_but_by_migrate(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    environ["TETHER_DATABASE_URL"] = f"sqlite+aiosqlite:///{folder}/tether.db"
    for command in (TOKEN, ("serve", "--port", "0"), ("sample",)):
        finished = await run_tether(*command, environ=environ)
        assert (finished.exit_code, finished.output, finished.errors) == (
            1,
            "",
            "tether: The database has no tables of Tether yet. Create them with `tether migrate`.\n",
        )
    assert os.listdir(folder) == []
    assert (await run_tether("migrate", environ=environ)).exit_code == 0
    assert os.listdir(folder) == ["tether.db"]


async def test_processes_that_start_at_once_on_an_empty_database_agree_on_one_data_key(
    database_url: str, environ: dict[str, str]
) -> None:
    environ["TETHER_DATABASE_URL"] = database_url

    async def serve_until_ready() -> object:
        async with tether_serve(environ) as serving, httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
            return (await http.get(f"{serving.url}/readyz")).json()["checks"]

    checks = await asyncio.gather(*(serve_until_ready() for _ in range(3)))
    assert checks == [{"database": "ok", "migrations": "ok", "key": "ok"}] * 3
    assert await count(database_url, "data_keys") == 1


async def test_another_encryption_key_than_the_databases_is_recognized(environ: dict[str, str]) -> None:
    assert (await run_tether(*TOKEN, environ=environ)).exit_code == 0
    environ["TETHER_ENCRYPTION_KEY"] = generate_key(development=True)
    for command in (TOKEN, ("serve", "--port", "0")):
        finished = await run_tether(*command, environ=environ)
        assert (finished.exit_code, finished.output) == (1, "")
        assert "isn't the one that this database was set up with" in finished.errors
        assert len(finished.errors.splitlines()) == 1


# Production


async def test_production_refuses_a_development_key(environ: dict[str, str]) -> None:
    unsafe = production(environ) | {"TETHER_ENCRYPTION_KEY": generate_key(development=True)}
    for command in (TOKEN, ("serve", "--port", "0")):
        finished = await run_tether(*command, environ=unsafe)
        assert (finished.exit_code, finished.output) == (1, "")
        assert finished.errors == (
            "tether: TETHER_ENCRYPTION_KEY: This key was made for development, which production refuses. "
            "Make another one with `tether keys generate`.\n"
        )


async def test_production_has_no_sample_and_signs_nobody_in(environ: dict[str, str]) -> None:
    assert (await run_tether("sample", environ=environ)).exit_code == 0
    before = await contents(environ)
    people = ("organizations", "users", "memberships", "api_keys", "service_connections")  # else there is work to do
    safe = production(environ) | {"TETHER_ENCRYPTION_KEY": environ["TETHER_ENCRYPTION_KEY"].partition(":")[2]}
    refused = await run_tether("sample", environ=safe)
    assert (refused.exit_code, refused.output) == (1, "")
    assert refused.errors == (
        "tether: The sample organization is for development, and this is production: TETHER_ENVIRONMENT says so, "
        "or isn't set.\n"
    )
    async with tether_serve(safe) as serving, httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        page = await http.get(f"{serving.url}/graphql", headers={"Accept": "text/html"})
        assert "set-cookie" not in page.headers
        assert "Signed in" not in serving.greeting
    after = await contents(environ)
    assert {table: len(after[table]) for table in people} == {table: len(before[table]) for table in people}


# Tokens


async def test_token_prints_a_token_alone_which_opens_the_api(
    server: TetherServer, database_url: str, environ: dict[str, str]
) -> None:
    environ["TETHER_DATABASE_URL"] = database_url
    finished = await run_tether(*TOKEN, environ=environ)
    assert (finished.exit_code, finished.errors) == (0, "")
    token = finished.output.removesuffix("\n")
    viewer = await server.tether.user_service.authenticate(token)
    assert (viewer.user_name, viewer.role_cap) == ("ada", "ADMIN")
    assert token not in repr(await server.rows("api_keys"))


async def test_what_cannot_be_a_token_is_refused_in_a_line(environ: dict[str, str]) -> None:
    finished = await run_tether(*TOKEN[:4], "ada", *TOKEN[5:], environ=environ)
    assert (finished.exit_code, finished.output) == (1, "")
    assert finished.errors == "tether: An e-mail address looks like ada@example.com.\n"
    assert await count(environ["TETHER_DATABASE_URL"], "organizations") == 0


# The sample


async def test_the_sample_is_made_once(database_url: str, environ: dict[str, str]) -> None:
    environ["TETHER_DATABASE_URL"] = database_url
    first = await run_tether("sample", environ=environ)
    after_first = await contents(environ)
    second = await run_tether("sample", environ=environ)
    assert (first.exit_code, first.errors) == (0, "")
    assert first == second
    assert first.output.splitlines() == [
        "Sample: Acme Inc. (acme), founded by founder@acme.example",
        "Sample: connection GitHub, active",
        "Sample: connection Slack, active",
    ]
    assert await contents(environ) == after_first


async def test_samples_made_at_once_are_one(database_url: str, environ: dict[str, str]) -> None:
    environ["TETHER_DATABASE_URL"] = database_url
    finished = await asyncio.gather(*(run_tether("sample", environ=environ) for _ in range(3)))
    assert {(each.exit_code, each.errors) for each in finished} == {(0, "")}
    assert len({each.output for each in finished}) == 1
    assert [await count(database_url, table) for table in ("organizations", "users", "service_connections")] == [
        1,
        2,
        2,
    ]


async def test_without_the_sandbox_the_sample_has_no_connections(
    environ: dict[str, str], sandbox: SandboxServer
) -> None:
    await sandbox.set_down("slack", True)
    try:
        finished = await run_tether("sample", environ=environ | {"TETHER_GITHUB_API_URL": f"{sandbox.url}/nowhere"})
    finally:
        await sandbox.set_down("slack", False)
    assert (finished.exit_code, finished.errors) == (0, "")
    _, github, slack = finished.output.splitlines()
    assert github.startswith("Sample: no connection to GitHub was made: ")
    assert github.endswith("The sample needs the sandbox, to which TETHER_GITHUB_API_URL doesn't seem to lead.")
    assert slack.startswith("Sample: no connection to Slack was made: ")
    later = await run_tether("sample", environ=environ)
    assert later.output.splitlines()[1:] == ["Sample: connection GitHub, active", "Sample: connection Slack, active"]


# The doctor


async def test_the_doctor_finds_nothing_wrong_where_nothing_is(database_url: str, environ: dict[str, str]) -> None:
    environ["TETHER_DATABASE_URL"] = database_url
    before = await contents(environ)
    finished = await run_tether("doctor", environ=environ)
    assert (finished.exit_code, finished.errors) == (0, "")
    lines = [line.split(maxsplit=2) for line in finished.output.splitlines()]
    assert {line[0] for line in lines} == {"ok"}
    role = [] if database_url.startswith("sqlite") else ["role"]
    assert [line[1] for line in lines] == ["settings", "key", "database", *role, "migrations", "data", *SERVICES]
    assert "none yet" in finished.output
    assert await contents(environ) == before


async def test_the_doctor_says_what_is_wrong_and_what_to_do(environ: dict[str, str], tmp_path: Path) -> None:
    assert (await run_tether(*TOKEN, environ=environ)).exit_code == 0
    environ["TETHER_ENCRYPTION_KEY"] = generate_key(development=True)
    environ["TETHER_GITHUB_API_URL"] = "https://127.0.0.2/api"
    finished = await run_tether("doctor", environ=environ)
    assert (finished.exit_code, finished.errors) == (1, "")
    failures = [line for line in finished.output.splitlines() if line.startswith("FAIL")]
    assert len(failures) == 2
    assert "data key" in failures[0]
    assert "Configure that one again" in failures[0]
    assert failures[1].endswith("Allow the host with TETHER_OUTBOUND_ALLOW.")

    environ["TETHER_DATABASE_URL"] = f"sqlite+aiosqlite:///{tmp_path}/elsewhere.db"
    finished = await run_tether("doctor", environ=environ)
    assert f"There is no file {tmp_path}/elsewhere.db yet. Create it with `tether migrate`." in finished.output
    assert not (tmp_path / "elsewhere.db").exists()

    assert (await run_tether("doctor", preloaded=False)).exit_code == 1


async def test_the_doctor_says_whether_there_is_anything_that_would_be_answered(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["TETHER_TRUSTED_DOCUMENTS"] = "require"
    finished = await run_tether("doctor", environ=environ)
    [failure] = [line for line in finished.output.splitlines() if line.startswith("FAIL")]
    assert "None is published" in failure

    manifest = tmp_path / "persisted-documents.json"
    manifest.write_text('{"own": "{ viewer { user { name } } }"}', "utf-8")
    assert (await run_tether("documents", "publish", str(manifest), environ=environ)).exit_code == 0
    finished = await run_tether("doctor", environ=environ)
    assert (finished.exit_code, finished.errors) == (0, "")
    assert "1 published, and nothing else is answered" in finished.output


async def test_the_doctor_asks_each_issuer_for_what_its_tokens_are_verified_with(environ: dict[str, str]) -> None:
    async with running_local_issuer() as issuer:
        environ |= {
            "TETHER_OIDC_ISSUERS": "main,other",
            "TETHER_OIDC_MAIN_ISSUER": issuer.url,
            "TETHER_OIDC_MAIN_AUDIENCE": "tether",
            "TETHER_OIDC_OTHER_ISSUER": f"{issuer.url}/other",
            "TETHER_OIDC_OTHER_AUDIENCE": "tether",
        }
        finished = await run_tether("doctor", environ=environ)
    assert (finished.exit_code, finished.errors) == (1, "")
    assert finished.output.splitlines()[-2:] == [
        f"ok    issuer      main, {issuer.url}, publishes 5 key(s)",
        f"FAIL  issuer      other, {issuer.url}/other: its metadata: it answered with 404. "
        "Check TETHER_OIDC_OTHER_ISSUER, and TETHER_OUTBOUND_ALLOW.",
    ]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_role_that_bypasses_row_security_is_told_and_refused_by_production(
    database_url: str, postgresql_server: PostgresqlServer, environ: dict[str, str]
) -> None:
    if postgresql_server.superuser is None:
        pytest.skip("the server that is given has none for us")
    environ["TETHER_DATABASE_URL"] = postgresql_server.as_superuser(database_url)
    told = (
        "The database's role is a superuser or has BYPASSRLS, so PostgreSQL doesn't keep organizations apart for it. "
        "Use a role without either that owns the database."
    )
    finished = await run_tether("doctor", environ=environ)
    assert finished.exit_code == 1
    assert [line.split(maxsplit=2) for line in finished.output.splitlines() if line.startswith("FAIL")] == [
        ["FAIL", "role", told]
    ]

    finished = await run_tether("serve", "--port", "0", environ=production(environ))
    assert (finished.exit_code, finished.output, finished.errors) == (1, "", f"tether: {told}\n")

    finished = await run_tether(*TOKEN, environ=environ)
    assert finished.exit_code == 0
    assert told in finished.errors


async def test_the_doctor_names_a_database_without_its_password(environ: dict[str, str]) -> None:
    environ["TETHER_DATABASE_URL"] = "postgresql+asyncpg://tether:canary@127.0.0.1:1/tether"
    finished = await run_tether("doctor", environ=environ)
    assert (finished.exit_code, finished.errors) == (1, "")
    assert "Check TETHER_DATABASE_URL." in finished.output
    assert "canary" not in finished.output


# The server


async def test_serve_says_where_it_listens_and_signs_graphiql_in(environ: dict[str, str]) -> None:
    assert (await run_tether("sample", environ=environ)).exit_code == 0
    for _ in range(2):
        async with tether_serve(environ) as serving, httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
            assert serving.greeting.splitlines() == [
                f"Tether runs at {serving.url}",
                f"GraphiQL:      {serving.url}/graphql",
                "Signed in as:  founder@acme.example, an OWNER of acme (development; scripts use `tether token`)",
            ]
            page = await http.get(f"{serving.url}/graphql", headers={"Accept": "text/html"})
            assert page.status_code == 200
            answer = await http.post(f"{serving.url}/graphql", json=WHO, headers=CSRF)
            assert answer.json()["data"] == {"viewer": {"user": {"email": "founder@acme.example"}}}
    assert await count(environ["TETHER_DATABASE_URL"], "sessions") == 2  # one for each browser
    assert await count(environ["TETHER_DATABASE_URL"], "api_keys") == 0


async def test_serve_signs_nobody_in_without_the_sample(environ: dict[str, str]) -> None:
    assert (await run_tether(*TOKEN, environ=environ)).exit_code == 0  # acme, but not the sample's
    before = await contents(environ)
    async with tether_serve(environ) as serving:
        assert "Signed in as:  nobody, until `tether sample` has created the sample organization" in serving.greeting
    assert {**await contents(environ), "tasks": before["tasks"]} == before  # all but what it has to do by itself


async def test_serve_ends_soon_and_well_also_with_a_subscription_open(environ: dict[str, str]) -> None:
    token = (await run_tether(*TOKEN, environ=environ)).output.strip()
    authorization = {"authorization": f"Bearer {token}"}
    async with tether_serve(environ) as serving, httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        answer = await http.post(
            f"{serving.url}/graphql?secret=canary",  # which serve doesn't log: it ends without having written a line
            json={"query": '{ organization(by: {slug: "acme"}) { id } }'},
            headers=authorization,
        )
        organization_id = answer.json()["data"]["organization"]["id"]
        async with open_socket(serving.url.replace("http", "ws") + "/graphql") as opened:
            await opened.init(authorization)
            await opened.subscribe(
                "subscription($id: ID!) { connectionEvents(organizationId: $id) { id } }", id=organization_id
            )
            started = time.monotonic()
            serving.process.terminate()
            await serving.process.wait()
            assert time.monotonic() - started < SHUTDOWN_TIMEOUT_SECONDS  # it wasn't waited for


async def test_a_port_in_use_is_said_in_a_line(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        finished = await run_tether("serve", "--port", str(port), environ=environ)
    assert (finished.exit_code, finished.output) == (1, "")
    assert finished.errors == f"tether: Can't listen on 127.0.0.1:{port}: Address already in use.\n"
