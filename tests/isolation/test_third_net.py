"""With the second net taken away, the third one holds: what Tether's own conditions would have kept back stays back.

On PostgreSQL. Where documents are altered, it is shown first that the second net is really gone: by what gets through
where the third one is left out, too.
"""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import update

from domain.entities.user import Role
from domain.errors import NotFound
from persistence import row_security
from persistence.repositories.tenant import Tenant
from persistence.tables import service_connections
from persistence.unit_of_work import SqlUnitOfWork, SqlUnitsOfWork
from tests.isolation.harness import NOT_HERE, Harness, nowhere
from tests.isolation.two_organizations import TWO

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("two_url", ["postgresql"], indirect=True)]

_MEMBERSHIP = re.compile(r"(\w+)\.user_id = (\$\d+::uuid)")
_ANY_MEMBERS = (
    r"\2 is not null and \1.user_id = "
    r"(select min(z.user_id::text)::uuid from memberships z where z.organization_id = \1.organization_id)"
)
_ORGANIZATION = re.compile(r"(\w+)\.organization_id = (\w+)\.(organization_id|id)\b")

Alter = Callable[[str], str]


def for_any_member(sql: str) -> str:
    """A document without the viewer's membership: anybody's does."""
    return _MEMBERSHIP.sub(_ANY_MEMBERS, sql)


def of_any_organization(sql: str) -> str:
    """A document in whose lists and links the organization is left out, but for the viewer's membership."""
    head, _, rest = sql.partition(" join memberships ")
    membership, where, rest = rest.partition(" where ")
    return _ORGANIZATION.sub("true", head) + (f" join memberships {membership}{where}" if where else "") + rest


def alter(monkeypatch: pytest.MonkeyPatch, change: Alter, *, third_too: bool) -> None:
    """Have whatever is read for viewers written without the second net; `third_too`: without the third one either."""
    written = row_security.within

    def within(own: str, select: str) -> str:
        altered = change(select)
        if third_too:
            return row_security.everywhere(f"select ({altered}) where ({own}) is not null or true")
        return written(own, altered)

    monkeypatch.setattr("persistence.documents.compiler.within", within)
    monkeypatch.setattr(row_security, "within", within)  # of what is read beside documents


async def test_documents_for_any_member_tell_strangers_nothing(
    asking: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [
        (document, slug, {"id": await asking.there(document, slug)})
        for document in asking.walk.documents()
        for slug in TWO
        if document.asks_by_id and document.type_name not in NOT_HERE
    ]
    foreign = {slug: [each for each in asking.outside(slug) if each.person.role is Role.OWNER] for slug in TWO}

    alter(monkeypatch, for_any_member, third_too=True)
    asking.path.documents._plans.clear()
    for document, slug, there in asked:
        answer = await asking.ask(document.text, foreign[slug][0], there)
        assert asking.leaks(answer, foreign[slug][0], there) or "__typename" in answer.data.decode(), str(document)

    monkeypatch.undo()
    alter(monkeypatch, for_any_member, third_too=False)
    asking.path.documents._plans.clear()
    for document, slug, there in asked:
        for caller in foreign[slug]:
            answer = await asking.ask(document.text, caller, there)
            missing = await asking.ask(document.text, caller, {"id": nowhere(document)})
            assert (answer.data, answer.errors) == (missing.data, missing.errors), (str(document), str(caller))


async def test_lists_of_any_organization_hold_ones_own_alone(asking: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [
        document
        for document in asking.walk.documents()
        if document.root.startswith("organization(by: {id") and document.type_name in _LISTED
    ]
    caller = asking.owner("globex")
    there = {"id": f"org_{asking.two.organization_id('globex')}"}

    alter(monkeypatch, of_any_organization, third_too=True)
    asking.path.documents._plans.clear()
    for document in documents:
        assert asking.leaks(await asking.ask(document.text, caller, there), caller) != set(), str(document)

    monkeypatch.undo()
    alter(monkeypatch, of_any_organization, third_too=False)
    asking.path.documents._plans.clear()
    for document in documents:
        answer = await asking.ask(document.text, caller, there)
        assert answer.errors == []
        assert f'"__typename":"{document.type_name}"' in answer.data.decode()
        assert asking.leaks(answer, caller) == set(), str(document)


_LISTED = {"ServiceConnection", "Repository", "ConnectionEvent", "ServiceCredential"}


async def test_repositories_of_another_tenant_than_the_reach_find_and_change_nothing(asking: Harness) -> None:
    acme, globex = (asking.two.organization_id(slug) for slug in TWO)
    before = await asking.rows("acme")
    ids = [row["id"] for row in asking.two.of("service_connections", "acme") if row["deleted_at"] is None]
    repository = asking.two.of("repositories", "acme")[0]["id"]
    async with SqlUnitsOfWork(asking.path.database, lambda _: None).reading(acme) as unit:
        assert [each.id for each in await unit.connections.list(limit=3)] == sorted(ids)[:3]
        connection = await unit.connections.find(ids[0])
    assert connection is not None

    async with asking.path.database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        unit = SqlUnitOfWork(transaction, acme, lambda _: None)  # as if somebody had confused the two
        assert await unit.connections.list() == []
        assert await unit.connections.find(ids[0]) is None
        assert await unit.credentials.find(ids[0]) is None
        assert await unit.repositories.list(ids[0]) == []
        assert await unit.repository_syncs.find(ids[0]) is None
        assert await unit.health_checks.latest(ids[0]) is None
        assert await unit.organizations.find(acme) is None
        assert await unit.memberships.owners(acme) == []
        with pytest.raises(NotFound):
            await unit.connections.get(ids[0])
        with pytest.raises(NotFound):
            await unit.repositories.get(repository)
        with pytest.raises(NotFound):  # nothing is there to be saved, of whatever version
            await unit.connections.save(connection)
        await unit.credentials.remove(ids[0])
        await unit.repositories.remove([repository])
        await unit.repository_syncs.remove(ids[0])
        await unit.tasks.remove(ids[0])
        await unit.commit()
    assert await asking.rows("acme") == before


async def test_statements_that_forget_the_organization_change_ones_own_alone(asking: Harness) -> None:
    before = await asking.rows("acme")
    globex = asking.two.organization_id("globex")
    async with asking.path.database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        tenant = Tenant(transaction, globex)
        changed = await tenant.transaction.execute(update(service_connections).values(health_message="of everyone"))
        assert changed.rowcount == len(asking.two.of("service_connections", "globex"))
        await transaction.connection.commit()
    assert await asking.rows("acme") == before
