"""A database with two organizations and a user in it, for the contract suites of the repositories."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.user import User
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def hinted() -> list[UUID]:
    """The organizations whose feed has been hinted at, in order."""
    return []


@pytest.fixture
def units(database: Database, hinted: list[UUID]) -> SqlUnitsOfWork:
    return SqlUnitsOfWork(database, hinted.append)


@pytest.fixture
async def acme(units: SqlUnitsOfWork) -> UUID:
    return await add_organization(units, "acme")


@pytest.fixture
async def globex(units: SqlUnitsOfWork) -> UUID:
    return await add_organization(units, "globex")


@pytest.fixture
async def ada(units: SqlUnitsOfWork) -> UUID:
    user = User(new_id(), "Ada", "Ada@Example.org", None, NOW)
    async with units.writing_everywhere() as unit:
        await unit.users.add(user)
        await unit.commit()
    return user.id


async def add_organization(units: SqlUnitsOfWork, slug: str) -> UUID:
    organization = Organization.create(id=new_id(), slug=slug, name=slug.title(), now=NOW)
    async with units.writing_everywhere() as unit:
        await unit.organizations.add(organization)
        await unit.commit()
    return organization.id
