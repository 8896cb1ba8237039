"""Rows as they are stored, of whichever organization: for what a test looks at or changes behind Tether's back.

Called by tests and their worlds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.database import Database
from persistence.row_security import EVERYWHERE


@asynccontextmanager
async def every_row(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction that no policy holds back; what it changes is kept."""
    async with database.engine.begin() as connection:
        if database.dialect_name == "postgresql":
            await connection.exec_driver_sql(EVERYWHERE.select, EVERYWHERE.values)
        yield connection
