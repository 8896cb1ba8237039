"""An INSERT that lets an equal row win which is there already, or which another transaction is about to commit."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from persistence.transaction import Transaction


async def insert_if_new(transaction: Transaction, table: Table, values: dict[str, Any]) -> bool:
    """Whether the row was inserted. Waits for the end of another transaction that is inserting an equal one."""
    insert = sqlite.insert if transaction.connection.dialect.name == "sqlite" else postgresql.insert
    result = await transaction.execute(insert(table).values(values).on_conflict_do_nothing())
    return result.rowcount == 1
