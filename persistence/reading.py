"""One read statement through the driver, without SQLAlchemy's transaction. Used by documents and event reader."""

from collections.abc import Sequence
from typing import Any

from persistence.database import Database


async def fetch(database: Database, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """The rows of a statement with positional parameters in the dialect's own form. Raises ServiceUnavailable."""
    async with database.driver_connection() as connection:
        rows: Sequence[Sequence[Any]]
        if database.dialect_name == "postgresql":
            rows = await connection.fetch(sql, *values)
        else:
            rows = list(await connection.execute_fetchall(sql, values))
        return rows
