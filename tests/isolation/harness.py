"""Harness: Tether on the two organizations, asked by anybody in any way. What it sends to the database is noted.

Used by this folder's tests and by `leak_hunt.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final
from uuid import UUID

import orjson
from graphql import GraphQLSchema, build_schema
from sqlalchemy import event, select
from strawberry.types.execution import PreExecutionError

from domain.entities.user import Role, Viewer
from domain.secret import Secret
from domain.services.oauth_client import OAuthClient
from domain.user_service import UserService
from gql.schema import build_schema as build_ours
from persistence.tables import metadata
from tests.documents.reading import Answer, Reading, reading
from tests.documents.values import Values
from tests.every_row import every_row
from tests.isolation.callers import WAYS, Known, as_person, reception
from tests.isolation.commands import ids_of, nobodys
from tests.isolation.documents import TYPES_OF_IDS, DocumentWalk, Reaching
from tests.isolation.two_organizations import Person, TwoOrganizations

_IDS: Final = {
    "ServiceConnection": "connection",
    "Organization": "organization",
    "Repository": "repository",
    "ServiceCredential": "credential",
    "HealthCheck": "check",
    "ConnectionEvent": "event",
    "CommandRun": "run",
    "User": "user",
    "ApiKey": "key",
    "Invitation": "invitation",
    "AuditRecord": "record",
}
"""By which ids the types that have one are found."""
_CLIENT: Final = OAuthClient("a-client", Secret("its-secret"))
NOT_HERE: Final = {"ServiceIncident", "AvailabilityReason", "CommandRunnerUp"}
"""Of these there are none in the two organizations: no service is down or unconnected, and nothing has a runner-up."""


def nowhere(document: Reaching) -> str:
    """An id of nothing of the kind that a document asks for."""
    return "nowhere" if document.root in TYPES_OF_IDS else nobodys(_IDS[document.entry])


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who asks in one of the ways."""

    person: Person
    way: str
    known: Known = field(repr=False)

    @property
    def viewer(self) -> Viewer:
        return self.known.viewer

    def __str__(self) -> str:
        return f"{self.person.name}, {self.way}"


@dataclass(slots=True)
class Harness:
    """`callers` are of each organization and role, in each way; and a stranger."""

    two: TwoOrganizations
    path: Reading
    walk: DocumentWalk
    callers: list[Caller]
    users: UserService
    statements: list[str] = field(default_factory=list)
    _there: dict[tuple[Reaching, str], str] = field(default_factory=dict)

    def outside(self, slug: str) -> list[Caller]:
        """Who has no part in an organization."""
        return [caller for caller in self.callers if caller.person.organization != slug]

    def owner(self, slug: str, way: str = "person") -> Caller:
        return next(
            each
            for each in self.callers
            if (each.person.organization, each.person.role, each.way) == (slug, Role.OWNER, way)
        )

    async def there(self, document: Reaching, slug: str) -> str:
        """The id of something from which it reaches an object of its type, as the organization's owner finds."""
        if (document, slug) not in self._there:
            owner = self.owner(slug)
            for id_ in [slug] if document.root in TYPES_OF_IDS else ids_of(self.two, slug, _IDS[document.entry]):
                answer = await self.ask(document.text, owner, {"id": id_})
                assert answer.errors == [], (str(document), answer.errors)
                if document.type_name in NOT_HERE or f'"__typename":"{document.type_name}"' in answer.data.decode():
                    self._there[document, slug] = id_
                    break
            else:
                raise AssertionError(f"{document} reaches none in {slug}")
        return self._there[document, slug]

    async def ask(self, text: str, caller: Caller, variables: Mapping[str, Any] | None = None) -> Answer:
        return await self.path.answer(text, caller.viewer, variables)

    async def statements_of(self, text: str, caller: Caller, variables: Mapping[str, Any]) -> list[str]:
        """What an operation sends to the database, in its order."""
        await self.ask(text, caller, variables)  # so that nothing is left to be learned
        budgets = self.path.context(caller.viewer).budgets
        await budgets.spend(caller.viewer.user_id, 1_000_000)  # which takes so large a block that it lasts
        await asyncio.sleep(0)  # asyncpg tells its loggers in the loop's next turn
        self.statements.clear()
        self.path.statements.clear()
        await self.ask(text, caller, variables)
        await asyncio.sleep(0)
        sent = [*self.statements, *self.path.statements]
        return [_without(str(variables), each) for each in sent]

    async def first_of(self, text: str, caller: Caller) -> Answer:
        """The first that a subscription tells."""
        context = replace(self.path.context(caller.viewer, caller.known.proof), users=self.users)
        running = asyncio.create_task(context.feed.run())
        try:
            results = await self.path.schema.subscribe(text, context_value=context)
            assert not isinstance(results, PreExecutionError), results.errors
            async with asyncio.timeout(10), aclosing(results):
                result = await anext(results)
            return Answer(orjson.dumps(result.data), [dict(error.formatted) for error in result.errors or ()])
        finally:
            running.cancel()
            await asyncio.wait([running])

    def leaks(self, answer: Answer, caller: Caller, variables: Mapping[str, Any] | None = None) -> set[str]:
        """What an answer tells that isn't the caller's to know, besides what they asked with."""
        own = {caller.person.organization} if caller.person.organization else set[str]()
        told = answer.data.decode() + str(answer.errors)
        return self.two.leaks(told, own, known=str(variables or ""))

    async def rows(self, slug: str, *, besides: set[str] | frozenset[str] = frozenset()) -> dict[str, list[Any]]:
        """All that is stored of an organization."""
        organization_id = self.two.organization_id(slug)
        stored = {}
        async with every_row(self.path.database) as connection:
            for table in metadata.sorted_tables:
                column = table.c.id if table.name == "organizations" else table.c.get("organization_id")
                if column is not None and table.name not in besides:
                    found = await connection.execute(select(table).where(column == organization_id))
                    stored[table.name] = sorted(map(str, found))
        return stored


@asynccontextmanager
async def harness(database_url: str, two: TwoOrganizations) -> AsyncIterator[Harness]:
    """On a database in which they are stored. Their services can't be reached, which is found out at once."""
    async with (
        reading(database_url, github_url="https://127.0.0.1", github_client=_CLIENT) as path,
        reception(path.database) as desk,
    ):
        callers = []
        for person in two.people:
            for way, known in WAYS.items() if person.organization else [("person", as_person)]:
                home = two.organization_id(person.organization) if person.organization else UUID(int=0)
                callers.append(Caller(person, way, await known(desk, person, home)))
        walk = DocumentWalk(_plain_schema(), Values(two.world))
        made = Harness(two, path, walk, callers, desk.users)

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            made.statements.append(statement)

        await desk.users.aclose()  # whose keys and sessions were used is noted beside the requests
        await desk.sessions.aclose()
        engine = path.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        yield made
        event.remove(engine, "before_cursor_execute", note)


@cache
def _plain_schema() -> GraphQLSchema:
    """Ours, as clients know it."""
    return build_schema(build_ours().as_str())


def _without(variables: str, statement: str) -> str:
    """A statement without the values that SQLite has put into it."""
    for value in _VALUE.findall(variables):
        statement = statement.replace(value, "?")  # slugs with their quotes: examples of commands have them, too
    return statement


_VALUE: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=: )'[a-z]+'")
