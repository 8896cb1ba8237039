"""No secret is ever found again, however it came in: not in an answer, a log, an event or the database's bytes."""

import base64
import logging
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import make_url, text

from domain.entities.user import Role
from tests.every_row import every_row
from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.gql.web_socket import Followed, open_socket

pytestmark = pytest.mark.anyio

CREATE = """
mutation ($input: CreateConnectionInput!) {
  createConnection(input: $input) { connection { id } userErrors { message field } }
}
"""
FOLLOW = """
subscription ($id: ID!, $after: String) {
  connectionEvents(organizationId: $id, after: $after) {
    type data actor { name } status { reason { message } } health { message probes { message evidence } }
    connection { name labels settings credential { fingerprint } health { probes { message evidence } } }
  }
}
"""
EVERYTHING = """
{ viewer { user { id name } apiKey { id name } }
  organization(by: {slug: "acme"}) {
    connections { nodes { name labels settings statusReason { message } externalAccount { id name url }
      health { message probes { message evidence } checks { nodes { message probes { message evidence } } } }
      credential { id fingerprint scopes } events { nodes { data actor { name apiKey { id name } } } } } }
    auditLog(first: 100) { nodes { action data subjectName actor { name user { name } apiKey { id name } } } } } }
"""

CLIENTS = ("httpx2", "websockets.client")
"""What this test itself calls with, and so what logs what it sends."""

SILENCED = ("uvicorn", "uvicorn.error")
"""What Tether's own set-up of logging keeps from DEBUG, since it writes each frame there."""


class Watch:
    """Makes secrets, and searches for them in all that is told to anybody."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.told: list[tuple[str, bytes]] = []

    def secret(self, text: str | None = None) -> str:
        made = f"Canary{secrets.token_hex(16)}" if text is None else text
        self.secrets.append(made)
        return made

    def tell(self, where: str, what: bytes | str) -> None:
        self.told.append((where, what if isinstance(what, bytes) else what.encode()))

    def found(self) -> list[str]:
        """Where something of a secret is, in any of the ways to write it down."""
        forms = {form for secret in self.secrets for form in _forms(secret)}
        return [where for where, what in self.told if any(form in what for form in forms)]


def test_the_search_finds_what_it_is_to_find() -> None:
    watch = Watch()
    secret = watch.secret()
    encoded = base64.b64encode(b"x" + f'{{"token": "{secret}"}}'.encode()).decode()
    for what in ("nothing", f"a {secret} b", secret.encode().hex(), encoded, secret.upper(), secret[:20]):
        watch.tell(what, what)
    assert watch.found() == [what for what, _ in watch.told[1:]]


async def test_a_secret_is_nowhere_to_be_found(
    server: TetherServer,
    database_url: str,
    encryption_key: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in (*CLIENTS, *SILENCED):
        caplog.set_level(logging.WARNING, name)
    watch = Watch()
    watch.secret(encryption_key)
    client = await server.member(Role.OWNER)
    assert client.token is not None
    watch.secret(client.token)
    organization_id = await server.organization_id()
    after = f"evt~{organization_id.removeprefix('org_')}~1~0"

    async with server.subscribe(client, FOLLOW, id=organization_id, after=after) as followed:
        number = await _live(server, client, watch)
        for _ in range(number):
            watch.tell("event", repr(await followed.message()))
    await _mistakes(server, client, watch, organization_id)
    await _keys(server, watch)
    watch.tell("answer", (await client.execute(EVERYTHING)).response.content)
    watch.tell("metrics", (await server.http.get("/metrics")).content)
    for record in caplog.records:
        watch.tell(f"log of {record.name}", f"{record.getMessage()} {record.args!r} {record.exc_text or ''}")
    watch.tell("captured log", caplog.text)
    watch.tell("standard output and error", "".join(capfd.readouterr()))
    for where, what in await _database(server, database_url):
        watch.tell(where, what)

    assert sorted(set(watch.found())) == []
    assert sum(where == "answer" for where, _ in watch.told) > 40
    recorded = {row["action"] for row in await server.rows("audit_records")}
    assert {"API_KEY_CREATED", "CONNECTION_CREATED", "CONNECTION_CREDENTIALS_ROTATED"} <= recorded
    assert any("service_credentials" in where or where.endswith(".db") for where, _ in watch.told)


async def _live(server: TetherServer, client: Client, watch: Watch) -> int:
    """Tokens that are taken, checked, rotated, refused; gives how many events that made."""
    token, new_token = [watch.secret() for _ in range(2)]
    for each in (token, new_token):
        await server.sandbox.put_token(each, service="github")
    created = await server.connect(client, token=token, labels={"a": "1"}, idempotencyKey="k")
    await server.connect(client, token=token, labels={"a": "1"}, idempotencyKey="k")
    given = {"connectionId": created["id"], "credential": {"token": {"token": new_token}}}
    for field, members in (
        ("checkConnectionHealth", {"connectionId": created["id"]}),
        ("rotateCredentials", given),
        ("deleteConnection", {"connectionId": created["id"], "dryRun": True}),
    ):
        watch.tell("answer", repr(await client.mutate(field, "__typename", **members)))
    for service in ("github", "slack"):
        for behaviour in ("revoked", "rate_limited", "server_error", "garbage_html", "truncated"):
            refused = watch.secret()
            await server.sandbox.put_token(refused, service=service, behaviour=behaviour)
            for field, members in (
                ("createConnection", {"organizationId": await server.organization_id(), "service": service}),
                ("rotateCredentials", {"connectionId": created["id"]}),
            ):
                error = await client.user_error(field, **members, credential={"token": {"token": refused}})
                watch.tell("answer", repr(error))
    await server.sandbox.put_token(new_token, service="github", behaviour="revoked")
    payload = await client.mutate(
        "checkConnectionHealth", "connection { events { totalCount } }", connectionId=created["id"]
    )
    total: int = payload["connection"]["events"]["totalCount"]
    return total


async def _mistakes(server: TetherServer, client: Client, watch: Watch, organization_id: str) -> None:
    """Secrets in the wrong place or of the wrong type, in variables and in the operation's text."""
    good = {"organizationId": organization_id, "service": "github"}
    inputs: list[Any] = [
        {**good, "credential": watch.secret()},
        {**good, "credential": {"token": watch.secret()}},
        {**good, "credential": {"token": {"token": {"secret": watch.secret()}}}},
        {**good, "credential": {"token": {"token": [watch.secret()]}}},
        {**good, "credential": {"token": {"token": watch.secret(), "more": watch.secret()}}},
        {**good, "credential": {"token": {"tokn": watch.secret()}}},
        {**good, "credential": {"token": {watch.secret(): 1}}},
        {**good, "credential": {"secret": watch.secret()}},
        {**good, "credential": {"token": {"token": watch.secret()}}, "name": {"a": watch.secret()}},
        {**good, "credential": {"token": {"token": watch.secret()}}, "labels": watch.secret()},
        {**good, "credential": {"token": {"token": watch.secret()}}, "settings": {"token": watch.secret()}},
        {**good, "credential": {"token": {"token": watch.secret() + " \n"}}},
        {**good, "credential": {"token": {"token": watch.secret() + "\0"}}},
        {"service": "github", "credential": {"token": {"token": watch.secret()}}},
        {**good, "organizationId": {"a": watch.secret()}, "credential": {"token": {"token": watch.secret()}}},
        watch.secret(),
        [watch.secret()],
        None,
    ]
    for given in inputs:
        watch.tell("answer", (await client.execute(CREATE, input=given)).response.content)
    watch.tell("answer", (await client.execute(CREATE, **{watch.secret(): watch.secret()})).response.content)
    literals = [
        '{{credential: {{token: {{token: "{}" ',
        '{{credential: {{token: {{token "{}"}}}}}}',
        "{{credential: {{token: {{token {}}}}}}}",
        "{{credential: {{token: {{token: {}}}}}}}",
        '{{credential: {{token: {{token: """{}"""}}}}, nope: 1}}',
        '{{credential: {{token: "{}"}}}}',
        '{{credential: "{}"}}',
        '{{credential: {{token: {{token: ["{}"]}}}}}}',
        '{{credential: {{token: {{tokn: "{}"}}}}}}',
        '{{credential: {{token: {{token: {{a: "{}"}}}}}}}}',
        '{{organizationId: 1.5, service: "github", credential: {{token: {{token: "{}"}}}}}}',
        '{{service: ["{}"], organizationId: "x", credential: {{token: {{token: "x"}}}}}}',
        '"{}"',
        "{}",
        "-{}",
        "'{}'",
    ]
    mutation = "mutation {{ createConnection(input: {}) {{ connection {{ id }} userErrors {{ message }} }} }}"
    defaults = (
        "mutation ($input: CreateConnectionInput! = {}) {{ createConnection(input: $input) {{ connection {{ id }} }} }}"
    )
    async with server.socket(client.token) as socket:
        for literal in literals:
            for operation in (mutation, defaults):
                query = operation.format(literal.format(watch.secret()))
                watch.tell("answer", (await client.execute(query)).response.content)
                watch.tell("socket", repr(await (await socket.subscribe(query)).message()))
        for given in inputs:
            told: Followed = await socket.subscribe(CREATE, input=given)
            watch.tell("socket", repr(await told.message()))
    for body in (
        f'{{"query": "{watch.secret()}',
        f'"{watch.secret()}"',
        f'{{"query": 1, "variables": "{watch.secret()}"}}',
    ):
        headers = {"Content-Type": "application/json"}
        watch.tell("answer", (await client.http.post("/graphql", content=body, headers=headers)).content)


async def _keys(server: TetherServer, watch: Watch) -> None:
    """API keys that aren't, wherever a key can stand."""
    for key in (watch.secret(), watch.secret(f"tether_{secrets.token_hex(16)}_{secrets.token_hex(24)}")):
        watch.tell("answer", (await server.client(key).execute(EVERYTHING)).response.content)
        for headers, payload in (({}, {"authorization": f"Bearer {key}"}), ({"Authorization": f"Bearer {key}"}, {})):
            async with open_socket(server.ws_url, headers=headers) as socket:
                await socket.send({"type": "connection_init", "payload": payload})
                await socket.close_code()
                watch.tell("socket", socket.connection.close_reason or "")
        response = await server.http.get(f"/graphql?token={quote(key)}", headers={"Cookie": f"tether-session={key}"})
        watch.tell("answer", response.content + repr(response.headers).encode())


async def _database(server: TetherServer, database_url: str) -> list[tuple[str, bytes]]:
    """Every byte that is stored: SQLite's files; PostgreSQL's rows as text."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        file = Path(url.database)
        return [(each.name, each.read_bytes()) for each in file.parent.glob(f"{file.name}*")]
    found = []
    async with every_row(server.tether.database) as session:
        tables = await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in tables.all():
            rows = await session.scalars(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - a name of ours
            found.append((str(table), "\n".join(rows.all()).encode()))
    return found


def _forms(secret: str) -> set[bytes]:
    """What betrays a secret: most of it as it is, in any case of letters, as hex, or in base64 at any offset."""
    plain = secret.encode()
    forms = {
        plain,
        plain.upper(),
        plain.lower(),
        plain[:20],
        plain[-20:],
        plain.hex().encode(),
        plain.hex().upper().encode(),
    }
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(b"\0" * offset + plain)[4:-4])
    return forms
