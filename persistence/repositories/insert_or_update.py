"""An INSERT that changes the row of the same key instead, also where another transaction is about to commit it."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite

from persistence.transaction import Transaction


async def insert_or_update(
    transaction: Transaction,
    table: Table,
    values: dict[str, Any],
    *,
    key: Sequence[str],
    changes: Callable[[Any], dict[str, Any | ColumnElement[Any]]],
) -> None:
    """`key` names the columns of a unique constraint.

    `changes` is given the row that was to be inserted, as columns, and says what the row that is there gets of it.
    """
    insert = sqlite.insert if transaction.connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(values)
    await transaction.execute(statement.on_conflict_do_update(index_elements=key, set_=changes(statement.excluded)))
