"""Whoever calls a mutation is in the audit log, with their address and the request: each of the schema's, for real.

A new mutation needs a case here. What is refused, would only be tried, or has changed nothing leaves no record.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import text

from domain.entities.audit import AuditAction
from domain.entities.event import SCHEDULER
from domain.entities.user import Role
from gql.schema import build_schema
from persistence.tables import metadata
from tests.documented_examples import blocks_of
from tests.documents.slow_evaluator import plain_schema
from tests.gql.authorizing import a_browser, authorizing_tether, begin
from tests.gql.client import USER_ERRORS, Answer, Client
from tests.gql.people import key_id, user_id
from tests.gql.server import TetherServer, uuid_of
from tests.gql.web_socket import open_socket
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ADDRESS: Final = "203.0.113.7"
LOG: Final = """query ($id: ID!, $after: String) { organization(by: {id: $id}) { auditLog(first: 100, after: $after) {
  nodes { id action address requestId subjectId subjectName data actor { kind name user { id } apiKey { id } } }
  pageInfo { hasNextPage endCursor } } } }"""


@dataclass
class Office:
    """A Tether behind a proxy, and an owner who asks from ADDRESS. `asked` are the answers of `mutate`."""

    server: TetherServer
    owner: Client
    organization_id: str
    asked: list[Answer] = field(default_factory=list)

    async def mutate(self, name: str, selection: str = "", /, **members: Any) -> Any:
        """The payload of a mutation that has to do what it is asked for."""
        payload = await self.attempt(name, selection, **members)
        assert payload["userErrors"] == []
        return payload

    async def attempt(self, name: str, selection: str = "", /, **members: Any) -> Any:
        type_name = f"{name[0].upper()}{name[1:]}Input"
        query = f"mutation ($input: {type_name}!) {{ {name}(input: $input) {{ {selection} {USER_ERRORS} }} }}"
        self.asked.append(await self.owner.execute(query, input=members))
        return self.asked[-1].data[name]

    async def connect(self, **members: Any) -> str:
        """The id of a new connection, made from elsewhere."""
        connection = await self.server.connect(await self.server.member(Role.OWNER), **members)
        made: str = connection["id"]
        return made

    async def log(self, organization_id: str | None = None) -> list[dict[str, Any]]:
        """The whole audit log of an organization, latest first."""
        records: list[dict[str, Any]] = []
        after = None
        while True:
            found = await self.owner.data(LOG, id=organization_id or self.organization_id, after=after)
            page = found["organization"]["auditLog"]
            records += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return records

    async def of(self, answer: Answer, organization_id: str | None = None) -> list[dict[str, Any]]:
        """The records of one request."""
        return [record for record in await self.log(organization_id) if record["requestId"] == answer.request_id]


@asynccontextmanager
async def an_office(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[Office]:
    settings = {"TETHER_TRUSTED_PROXIES": "127.0.0.1"}
    async with (
        authorizing_tether(database_url, sandbox, encryption_key, **settings) as server,
        httpx2.AsyncClient(
            base_url=server.url, trust_env=False, verify=NO_TLS, headers={"X-Forwarded-For": ADDRESS}
        ) as http,
    ):
        token = await server.token("acme", "asking@acme.example", Role.OWNER)
        yield Office(server, Client(http, token), await server.organization_id())


@pytest.fixture
async def office(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[Office]:
    async with an_office(database_url, sandbox, encryption_key) as running:
        yield running


# The cases: each calls its mutation once by `office.mutate`, and gives the id of whose log tells of it.

Case = Callable[[Office], Awaitable[str]]


async def create_connection(office: Office) -> str:
    credential = {"token": {"token": await office.server.credential()}}
    await office.mutate(
        "createConnection", organizationId=office.organization_id, service="github", credential=credential
    )
    return office.organization_id


async def update_connection(office: Office) -> str:
    await office.mutate("updateConnection", connectionId=await office.connect(), name="Renamed")
    return office.organization_id


async def update_connection_status(office: Office) -> str:
    await office.mutate("updateConnectionStatus", connectionId=await office.connect(), status="INACTIVE")
    return office.organization_id


async def delete_connection(office: Office) -> str:
    await office.mutate("deleteConnection", connectionId=await office.connect())
    return office.organization_id


async def check_connection_health(office: Office) -> str:
    """One that finds what was known."""
    await office.mutate("checkConnectionHealth", connectionId=await office.connect())
    return office.organization_id


async def rotate_credentials(office: Office) -> str:
    token = await office.server.credential()
    await office.mutate(
        "rotateCredentials", connectionId=await office.connect(), credential={"token": {"token": token}}
    )
    return office.organization_id


async def authorize_connection(office: Office) -> str:
    await office.mutate("authorizeConnection", organizationId=office.organization_id, service="github")
    return office.organization_id


async def complete_authorization(office: Office) -> str:
    async with a_browser() as browser:
        end = await browser.authorize(await begin(office.server, office.owner), "acme-bot")
    await office.mutate("completeAuthorization", code=end.code)
    return office.organization_id


async def sync_repositories(office: Office) -> str:
    await office.mutate("syncRepositories", connectionId=await office.connect())
    return office.organization_id


async def update_repository(office: Office) -> str:
    token = await office.server.credential(repositories=[{"id": 1, "name": "r1"}])
    connection_id = await office.connect(token=token)
    owner = await office.server.member(Role.OWNER)
    await owner.mutate("syncRepositories", "", connectionId=connection_id)
    query = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { repositories { nodes { id } } } } }"
    [repository] = (await owner.data(query, id=connection_id))["node"]["repositories"]["nodes"]
    await office.mutate("updateRepository", repositoryId=repository["id"], selected=True)
    return office.organization_id


async def create_organization(office: Office) -> str:
    payload = await office.mutate("createOrganization", "organization { id }", slug="newly-made", name="Newly made")
    made: str = payload["organization"]["id"]
    return made


async def update_organization(office: Office) -> str:
    await office.mutate("updateOrganization", organizationId=office.organization_id, name="Acme & Co.")
    return office.organization_id


async def add_member(office: Office) -> str:
    given = {"organizationId": office.organization_id, "email": "new@acme.example", "role": "VIEWER"}
    await office.mutate("addMember", **given)
    return office.organization_id


async def remove_invitation(office: Office) -> str:
    owner, given = await office.server.member(Role.OWNER), {"email": "new@acme.example", "role": "VIEWER"}
    invited = await owner.mutate("addMember", "invitation { id }", organizationId=office.organization_id, **given)
    await office.mutate("removeInvitation", invitationId=invited["invitation"]["id"])
    return office.organization_id


async def run_command(office: Office) -> str:
    await office.mutate(
        "runCommand", commandId="github.list_repositories", connectionId=await office.connect(), arguments={}
    )
    return office.organization_id


async def update_member(office: Office) -> str:
    member = await user_id(await office.server.member(Role.VIEWER))
    await office.mutate("updateMember", organizationId=office.organization_id, userId=member, role="ADMIN")
    return office.organization_id


async def remove_member(office: Office) -> str:
    member = await user_id(await office.server.member(Role.VIEWER))
    await office.mutate("removeMember", organizationId=office.organization_id, userId=member)
    return office.organization_id


async def create_api_key(office: Office) -> str:
    await office.mutate("createApiKey", organizationId=office.organization_id, name="bot", role="VIEWER")
    return office.organization_id


async def revoke_api_key(office: Office) -> str:
    await office.mutate("revokeApiKey", apiKeyId=await key_id(await office.server.member(Role.VIEWER)))
    return office.organization_id


CASES: Final[dict[str, tuple[Case, AuditAction]]] = {
    "createConnection": (create_connection, AuditAction.CONNECTION_CREATED),
    "updateConnection": (update_connection, AuditAction.CONNECTION_UPDATED),
    "updateConnectionStatus": (update_connection_status, AuditAction.CONNECTION_STATUS_CHANGED),
    "deleteConnection": (delete_connection, AuditAction.CONNECTION_DELETED),
    "checkConnectionHealth": (check_connection_health, AuditAction.CONNECTION_HEALTH_CHECKED),
    "rotateCredentials": (rotate_credentials, AuditAction.CONNECTION_CREDENTIALS_ROTATED),
    "authorizeConnection": (authorize_connection, AuditAction.AUTHORIZATION_BEGUN),
    "completeAuthorization": (complete_authorization, AuditAction.CONNECTION_AUTHORIZED),
    "syncRepositories": (sync_repositories, AuditAction.CONNECTION_REPOSITORIES_SYNCED),
    "updateRepository": (update_repository, AuditAction.CONNECTION_UPDATED),
    "runCommand": (run_command, AuditAction.CONNECTION_COMMAND_RUN),
    "createOrganization": (create_organization, AuditAction.ORGANIZATION_CREATED),
    "updateOrganization": (update_organization, AuditAction.ORGANIZATION_UPDATED),
    "addMember": (add_member, AuditAction.MEMBER_INVITED),
    "removeInvitation": (remove_invitation, AuditAction.INVITATION_WITHDRAWN),
    "updateMember": (update_member, AuditAction.MEMBER_UPDATED),
    "removeMember": (remove_member, AuditAction.MEMBER_REMOVED),
    "createApiKey": (create_api_key, AuditAction.API_KEY_CREATED),
    "revokeApiKey": (revoke_api_key, AuditAction.API_KEY_REVOKED),
}
"""Each mutation, with what it is called in the audit log."""


def test_every_mutation_has_a_case() -> None:
    mutations = plain_schema(build_schema().as_str()).mutation_type
    assert mutations is not None
    assert set(CASES) == set(mutations.fields)


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_is_recorded_with_actor_address_and_request(office: Office, name: str) -> None:
    case, action = CASES[name]
    viewer = (await office.owner.data("{ viewer { user { id } apiKey { id name } } }"))["viewer"]

    organization_id = await case(office)

    [asked] = office.asked
    assert name in asked.data
    records = await office.of(asked, organization_id)
    assert action in {record["action"] for record in records}
    for record in records:
        assert record["address"] == ADDRESS
        assert record["actor"] == {
            "kind": "API_KEY",
            "name": viewer["apiKey"]["name"],
            "user": viewer["user"],
            "apiKey": {"id": viewer["apiKey"]["id"]} if organization_id == office.organization_id else None,
        }
        assert record["subjectId"] is None or record["subjectName"]
    for event in await office.server.rows("connection_events"):
        told = [record for record in records if record["data"].get("eventId") == f"evt_{event['id']}"]
        assert len(told) == (event["request_id"] == asked.request_id), event
        assert event["request_id"] != asked.request_id or event["address"] == ADDRESS


async def test_what_changes_nothing_is_not_recorded(office: Office) -> None:
    connection_id = await office.connect(name="Code", idempotencyKey="once")
    repeated = {"organizationId": office.organization_id, "service": "github", "idempotencyKey": "mine"}
    repeated["credential"] = {"token": {"token": await office.server.credential()}}  # type: ignore[assignment]
    await office.mutate("createConnection", **repeated)
    office.asked.clear()

    await office.mutate("createConnection", **repeated)
    await office.mutate("deleteConnection", connectionId=connection_id, dryRun=True)
    await office.mutate("updateConnectionStatus", connectionId=connection_id, status="INACTIVE", dryRun=True)
    await office.mutate("updateConnectionStatus", connectionId=connection_id, status="ACTIVE")
    await office.mutate("updateConnection", connectionId=connection_id, name="Code")
    await office.mutate("updateOrganization", organizationId=office.organization_id, name="acme")
    owner = await user_id(office.owner)
    await office.mutate("updateMember", organizationId=office.organization_id, userId=owner, role="OWNER")
    await office.attempt("addMember", organizationId=office.organization_id, email="nobody", role="OWNER")
    await office.attempt("createApiKey", organizationId=office.organization_id, name="", role="OWNER")
    await office.attempt("updateConnection", connectionId=connection_id, name="")
    await office.attempt("rotateCredentials", connectionId=connection_id, credential={"token": {"token": "nope"}})
    await office.attempt("createOrganization", slug="acme", name="Taken")

    assert [await office.of(asked) for asked in office.asked] == [[]] * 12


async def test_operations_on_a_socket_are_told_apart_by_their_requests(office: Office) -> None:
    connection_id = await office.connect()
    headers = {"Authorization": f"Bearer {office.owner.token}", "X-Forwarded-For": f"1.2.3.4, {ADDRESS}"}
    headers["X-Request-Id"] = "the-sockets-own"
    query = "mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) { userErrors { code } } }"

    async with open_socket(office.server.ws_url, headers=headers) as socket:
        await socket.init()
        for name in ("One", "Two"):
            followed = await socket.subscribe(query, input={"connectionId": connection_id, "name": name})
            assert await followed.next() == {"updateConnection": {"userErrors": []}}

    records = [record for record in await office.log() if record["action"] == "CONNECTION_UPDATED"]
    assert [(each["requestId"], each["address"], each["subjectName"]) for each in records] == [
        ("the-sockets-own.2", ADDRESS, "Two"),
        ("the-sockets-own.1", ADDRESS, "One"),
    ]


async def test_what_the_operator_does_is_recorded_too(office: Office) -> None:
    await office.server.tether.user_service.issue_api_key("acme", "new@acme.example", Role.MEMBER, name="Build")
    await office.server.tether.user_service.issue_api_key("acme", "new@acme.example", Role.ADMIN, name="Deploy")

    found = [each for each in await office.log() if each["subjectName"] in {"new", "Build", "Deploy"}]

    person = next(each["subjectId"] for each in found if each["subjectName"] == "new")
    assert [(each["action"], each["subjectName"], each["data"]) for each in reversed(found)] == [
        ("MEMBER_JOINED", "new", {"by": "operator", "role": "MEMBER"}),
        ("API_KEY_CREATED", "Build", {"role": "MEMBER", "user": person}),
        ("MEMBER_UPDATED", "new", {"by": "operator", "role": "ADMIN"}),
        ("API_KEY_CREATED", "Deploy", {"role": "ADMIN", "user": person}),
    ]
    for record in found:
        assert record["actor"] == {"kind": "OPERATOR", "name": "Operator", "user": None, "apiKey": None}
        assert (record["address"], record["requestId"]) == (None, None)


async def test_an_update_of_the_organization_tells_what_it_was_and_is(office: Office) -> None:
    given = {"organizationId": office.organization_id, "name": "Acme & Co.", "checkIntervalSeconds": 600}
    await office.mutate("updateOrganization", **given)

    [record] = await office.of(office.asked[0])
    assert record["subjectId"] == office.organization_id
    assert record["data"] == {
        "from": {"name": "acme", "checkIntervalSeconds": 300},
        "to": {"name": "Acme & Co.", "checkIntervalSeconds": 600},
    }


async def test_a_status_step_tells_where_from_and_where_to(office: Office) -> None:
    connection_id = await office.connect(name="Code")
    await office.mutate("updateConnectionStatus", connectionId=connection_id, status="INACTIVE", reason="Moving")

    [record] = await office.of(office.asked[0])
    event_id = record["data"].pop("eventId")
    assert (record["subjectId"], record["subjectName"]) == (connection_id, "Code")
    assert record["data"] == {"from": "ACTIVE", "to": "INACTIVE", "reason": "PAUSED"}
    query = "query ($id: ID!) { node(id: $id) { ... on ConnectionEvent { type connection { id } } } }"
    event = (await office.owner.data(query, id=event_id))["node"]
    assert event == {"type": "STATUS_CHANGED", "connection": {"id": connection_id}}


async def test_a_sync_that_is_stopped_is_recorded_with_its_failure(office: Office) -> None:
    token = await office.server.credential()
    connection_id = await office.connect(token=token)
    await office.server.sandbox.put_token(token, service="github", behaviour="server_error")

    await office.attempt("syncRepositories", connectionId=connection_id)

    records = await office.of(office.asked[0])
    [synced] = [record for record in records if record["action"] == "CONNECTION_REPOSITORIES_SYNCED"]
    assert synced["data"] == {
        "complete": False,
        "failure": "github_server_error",
        "added": 0,
        "updated": 0,
        "unchanged": 0,
    }


async def test_what_tether_does_by_itself_is_in_the_feed_and_not_in_the_audit_log(office: Office) -> None:
    connection_id = await office.connect()
    before = await office.log()
    connection = uuid_of(connection_id)
    async with office.server.tether.units_of_work.writing(uuid_of(office.organization_id)) as unit:
        found = await unit.connections.get(connection)
        draft = found.credentials_rotated(2, "sha256:0", office.server.tether.clock())
        await unit.events.append([draft], SCHEDULER)
        await unit.commit()

    assert await office.log() == before
    [*_, latest] = await office.server.rows("connection_events")
    assert (latest["type"], latest["address"], latest["request_id"]) == ("CREDENTIALS_ROTATED", None, None)


async def test_the_log_is_for_owners(office: Office) -> None:
    for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER):
        answer = await (await office.server.member(role)).execute(LOG, id=office.organization_id)
        assert answer.body["data"] == {"organization": {"auditLog": None}}
        [error] = answer.errors
        assert error["path"] == ["organization", "auditLog"]
        assert error["message"] == f"This takes the role OWNER in the organization; you act in it as {role}."
        assert error["extensions"]["code"] == "FORBIDDEN"
    stranger = await office.server.member(Role.OWNER, organization="globex")
    assert await stranger.data(LOG, id=office.organization_id) == {"organization": None}


async def test_a_person_is_erased_by_what_the_documentation_says(office: Office) -> None:
    email = "vanishing@acme.example"
    person = office.server.client(await office.server.token("acme", email, Role.ADMIN))
    viewer = (await person.data("{ viewer { user { id } } }"))["viewer"]
    user_id = viewer["user"]["id"]
    await office.server.connect(Client(office.owner.http, person.token))
    elsewhere = await office.server.member(Role.OWNER, organization="globex")
    invited = {
        "organizationId": await office.server.organization_id("globex"),
        "email": email.title(),
        "role": "VIEWER",
    }
    assert (await elsewhere.mutate("addMember", "userErrors { code }", **invited))["userErrors"] == []
    [script] = [block.text for block in blocks_of("docs/data.md") if block.language == "sql"]
    script = script.replace("user_…", user_id).replace("ada@example.com", email).replace("…", str(uuid_of(user_id)))
    names = (email, "vanishing")
    assert await _tables_that_tell(office, names) == {"users", "invitations", "audit_records"}

    await office.server.alter(*(text(statement) for statement in script.split(";") if statement.strip()))

    assert await _tables_that_tell(office, names) == set()
    [record, *_] = [record for record in await office.log() if record["actor"]["user"] == {"id": user_id}]
    assert (record["actor"]["name"], record["address"]) == ("Somebody", None)
    assert record["requestId"]


async def _tables_that_tell(office: Office, names: tuple[str, ...]) -> set[str]:
    """Where any of these is to be found."""
    return {
        table
        for table in metadata.tables
        if any(name in str(row).lower() for row in await office.server.rows(table) for name in names)
    }
