"""The column with the probes of a health check: records on PostgreSQL, JSON on SQLite.

Used by `persistence/tables/` and migrations. Repositories give and get JSON on both; documents read PostgreSQL's
records, which are taken apart three times as fast as JSON and need half its space.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    event,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

from persistence.column_types import json_column

PROBE_MEMBERS: Final = ("name", "outcome", "code", "message", "remedy", "latency_ms", "evidence")
"""A probe's members, in the order of PostgreSQL's record."""

_POSTGRESQL: Final = "postgresql"


class _ProbeRecords(TypeDecorator[Any]):
    """PostgreSQL's array of probes, given and read as JSON."""

    impl = JSON
    cache_ok = True

    def bind_expression(self, bindparam: BindParameter[Any]) -> ColumnElement[Any]:
        records = func.json_populate_recordset(literal_column("null::health_probe"), bindparam).column_valued("probe")
        return func.array(select(records).scalar_subquery())

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.to_json(column, type_=JSON)


@compiles(_ProbeRecords, _POSTGRESQL)
def _type_name(type_: _ProbeRecords, compiler: Any, **options: Any) -> str:
    return "health_probe[]"


def probe_column(name: str) -> Column[Any]:
    """A column for probes."""
    return json_column(name, on_postgresql=_ProbeRecords())


def create_probe_type(connection: Connection) -> None:
    """Create the type of these records, which tables with such a column need. Nothing to do on SQLite."""
    if connection.dialect.name == _POSTGRESQL:
        connection.exec_driver_sql(
            "CREATE TYPE health_probe AS "
            "(name text, outcome text, code text, message text, remedy text, latency_ms integer, evidence json)"
        )


def drop_probe_type(connection: Connection) -> None:
    """Drop it, after the last of these tables."""
    if connection.dialect.name == _POSTGRESQL:
        connection.exec_driver_sql("DROP TYPE health_probe")


def with_probe_type(metadata: MetaData) -> MetaData:
    """The same, whose tables come and go together with that type."""
    event.listen(metadata, "before_create", lambda target, connection, **options: create_probe_type(connection))
    event.listen(metadata, "after_drop", lambda target, connection, **options: drop_probe_type(connection))
    return metadata
