"""Row security by itself: raw statements over Tether's own connections, with no condition of their own.

Each table is of organizations, of the server alone, or of nobody in particular; a new one has to be one of them.
"""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities.user import Role, Viewer
from persistence import row_security
from persistence.database import Database
from persistence.tables import metadata
from tests.every_row import every_row
from tests.isolation.two_organizations import TwoOrganizations

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("two_url", ["postgresql"], indirect=True)]

_OF_THE_SERVER: Final = {
    "data_keys",
    "operation_budgets",
    "sessions",
    "sign_in_flows",
    "trusted_documents",
    "user_identities",
    "webhook_deliveries",
}
"""Seen by work that is meant for all organizations, and by nobody else."""
_OF_NOBODY: Final = {"call_budgets", "service_incidents"}
"""What is known of services, whoever has connected them."""
_OF_ORGANIZATIONS: Final = [
    table for table in metadata.sorted_tables if table.name == "organizations" or "organization_id" in table.columns
]


@pytest.fixture
async def database(two_url: str) -> AsyncIterator[Database]:
    async with Database(two_url) as opened:
        yield opened


@pytest.fixture
def acme(two: TwoOrganizations) -> UUID:
    return two.organization_id("acme")


@pytest.fixture
def globex(two: TwoOrganizations) -> UUID:
    return two.organization_id("globex")


async def test_every_table_is_held_to_policies_or_nobodys_in_particular(database: Database) -> None:
    sql = (
        "select relname::text, relrowsecurity and relforcerowsecurity from pg_class "
        "where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
    )
    held = {name for name, is_held in await database.fetch(sql) if is_held}
    of_organizations = {table.name for table in _OF_ORGANIZATIONS}
    assert held == of_organizations | {"users"} | _OF_THE_SERVER
    assert {table.name for table in metadata.sorted_tables} - held == _OF_NOBODY


async def test_the_role_is_one_that_policies_hold(database: Database) -> None:
    assert await database.bypasses_row_security() is False


async def test_what_is_bound_to_nothing_sees_nothing(database: Database) -> None:
    for table in [*_OF_ORGANIZATIONS, metadata.tables["users"]]:
        assert await database.fetch(str(select(table))) == [], table.name
        async with database.engine.connect() as connection:
            assert await _count(connection, table) == 0, table.name
        async with every_row(database) as connection:
            await connection.execute(select(1))
            assert table.name in _EMPTY_HERE or await _count(connection, table) > 0, table.name


_EMPTY_HERE: Final = {"authorization_flows", "idempotency_keys", "repository_syncs", "repository_sync_pages", "tasks"}


@pytest.mark.parametrize("table", _OF_ORGANIZATIONS, ids=str)
async def test_a_statement_without_a_condition_reads_and_changes_its_own_organization_alone(
    database: Database, table: Table, acme: UUID, globex: UUID
) -> None:
    before = await _stored(database, table, acme)
    async with database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        connection = transaction.connection
        organizations = set((await connection.execute(select(_organization(table)))).scalars())
        assert organizations <= {globex}
        assert await _count(connection, table) == len(await _stored(database, table, globex))
        column = next(each for each in table.columns if each.computed is None and not each.primary_key)
        changed = await connection.execute(update(table).values({column.name: column}))
        assert changed.rowcount == await _count(connection, table)
        await connection.execute(text("set constraints all deferred"))
        await transaction.connection.commit()
    assert await _stored(database, table, acme) == before


@pytest.mark.parametrize("table", _OF_ORGANIZATIONS, ids=str)
async def test_nothing_is_deleted_beyond_the_reach(database: Database, table: Table, acme: UUID, globex: UUID) -> None:
    before = await _stored(database, table, acme)
    async with database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        deleted = await transaction.connection.execute(delete(table).where(_organization(table) == acme))
        assert deleted.rowcount == 0
        await transaction.connection.commit()
    assert await _stored(database, table, acme) == before


@pytest.mark.parametrize("table", _OF_ORGANIZATIONS, ids=str)
async def test_no_row_is_put_beyond_the_reach(database: Database, table: Table, acme: UUID, globex: UUID) -> None:
    rows = await _stored(database, table, acme)
    if not rows:
        return
    row = {name: value for name, value in rows[0].items() if table.c[name].computed is None}
    async with database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        with pytest.raises(DBAPIError, match="violates row-level security policy"):
            await transaction.connection.execute(insert(table).values(row))


async def test_no_row_is_moved_to_another_organization(database: Database, acme: UUID, globex: UUID) -> None:
    table = metadata.tables["repositories"]
    async with database.transaction(row_security.one_organization(globex), writes=True) as transaction:
        with pytest.raises(DBAPIError, match="violates row-level security policy"):
            await transaction.connection.execute(update(table).values(organization_id=acme))


@pytest.mark.parametrize("table", sorted(_OF_THE_SERVER))
async def test_what_is_the_servers_own_is_not_an_organizations(database: Database, table: str, acme: UUID) -> None:
    async with every_row(database) as connection:
        await connection.execute(text(_ROWS_OF_THE_SERVER[table]))
        assert await _count(connection, metadata.tables[table]) == 1
    async with database.transaction(row_security.one_organization(acme), writes=True) as transaction:
        assert await _count(transaction.connection, metadata.tables[table]) == 0
        assert (await transaction.connection.execute(delete(metadata.tables[table]))).rowcount == 0


_ROWS_OF_THE_SERVER: Final = {
    "data_keys": "insert into data_keys values ('key', 'wrapped', 'provider', 'PRIMARY', now())",
    "operation_budgets": "insert into operation_budgets select id, now() from users limit 1",
    "sessions": (
        "insert into sessions select gen_random_uuid(), 'x', id, 'issuer', now(), now(), now() from users limit 1"
    ),
    "sign_in_flows": "insert into sign_in_flows values ('x', 'y', 'issuer', 'nonce', 'sealed', '/', now(), now())",
    "trusted_documents": "insert into trusted_documents values ('id', '{ a }', '', now(), now())",
    "user_identities": ("insert into user_identities select 'issuer', 'subject', id, now(), now() from users limit 1"),
    "webhook_deliveries": (
        "insert into webhook_deliveries values (gen_random_uuid(), 'github', '1', 'push', 'x', now(), 'RECEIVED')"
    ),
}


async def test_people_are_named_to_whom_is_bound_and_changed_by_work_for_all_alone(
    database: Database, acme: UUID
) -> None:
    users = metadata.tables["users"]
    async with database.transaction(row_security.one_organization(acme), writes=True) as transaction:
        assert await _count(transaction.connection, users) > 0
        assert (await transaction.connection.execute(update(users).values(name="Nobody"))).rowcount == 0


async def test_a_reach_ends_with_its_transaction(database: Database, acme: UUID) -> None:
    organizations = metadata.tables["organizations"]
    for _ in range(3):  # on the same pooled connection
        async with database.transaction(row_security.EVERYWHERE, writes=True) as transaction:
            assert await _count(transaction.connection, organizations) == 4
            await transaction.connection.commit()
            assert await _count(transaction.connection, organizations) == 0
        async with database.transaction(row_security.one_organization(acme), writes=False) as transaction:
            async with transaction.everywhere():
                assert await _count(transaction.connection, organizations) == 4
            assert await _count(transaction.connection, organizations) == 1
        assert len(await database.fetch_everywhere("select id from organizations")) == 4
        assert await database.fetch("select id from organizations") == []


async def test_a_viewers_reach_is_where_they_are_a_member_now(database: Database, two: TwoOrganizations) -> None:
    both = next(id_ for id_, places in two.memberships.items() if places == {"acme", "globex"})
    sql = "select slug from organizations order by slug"
    for confined_to, slugs in [
        (None, ["acme", "globex"]),
        (two.organization_id("acme"), ["acme"]),
        (two.organization_id("initech"), []),
    ]:
        viewer = Viewer(both, "", Role.OWNER, confined_to=confined_to)
        assert [row[0] for row in await database.fetch_for(viewer, sql, [])] == slugs
        async with database.transaction(row_security.of_viewer(viewer), writes=False) as transaction:
            found = await transaction.connection.execute(text(sql))
            assert list(found.scalars()) == slugs
    async with every_row(database) as connection:
        memberships = metadata.tables["memberships"]
        await connection.execute(
            delete(memberships).where(
                memberships.c.user_id == both, memberships.c.organization_id != two.organization_id("acme")
            )
        )
    assert [row[0] for row in await database.fetch_for(Viewer(both, "", Role.OWNER), sql, [])] == ["acme"]
    assert await database.fetch_for(Viewer(two.stranger.user_id, "", Role.OWNER), sql, []) == []


def _organization(table: Table) -> Any:
    return table.c.id if table.name == "organizations" else table.c.organization_id


async def _count(connection: AsyncConnection, table: Table) -> int:
    counted: int = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
    return counted


async def _stored(database: Database, table: Table, organization_id: UUID) -> list[dict[str, Any]]:
    async with every_row(database) as connection:
        found = await connection.execute(select(table).where(_organization(table) == organization_id))
        return sorted((dict(row) for row in found.mappings()), key=str)
