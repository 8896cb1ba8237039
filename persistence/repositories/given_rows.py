"""Many rows of values as something to select from, in one statement and a few parameters, on both databases.

Used where hundreds of rows are written at once: an array for each column on PostgreSQL, JSON on SQLite.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, FromClause, Text, column, func, literal, select, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine

from persistence.transaction import Transaction

Columns = dict[str, tuple[TypeEngine[Any], Sequence[Any]]]
"""Each column's type and its values, which are as many for each."""


def given_rows(transaction: Transaction, columns: Columns) -> FromClause:
    """The rows, with these columns."""
    if transaction.connection.dialect.name == "postgresql":
        arrays = [literal(list(values), ARRAY(type_)) for type_, values in columns.values()]
        named = [column(name, type_) for name, (type_, _) in columns.items()]
        return func.unnest(*arrays).table_valued(*named).render_derived(name="given")
    dialect = transaction.connection.dialect
    written = [
        [type_.process_bind_param(value, dialect) if isinstance(type_, TypeDecorator) else value for value in values]
        for type_, values in columns.values()
    ]
    rows = func.json_each(literal(orjson.dumps(list(zip(*written, strict=True))).decode(), Text)).table_valued("value")
    members = [
        type_coerce(func.json_extract(rows.c.value, f"$[{number}]"), type_).label(name)
        for number, (name, (type_, _)) in enumerate(columns.items())
    ]
    return select(*members).subquery("given")
