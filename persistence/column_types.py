"""Column types whose values read the same from SQLite and PostgreSQL, by Python and by SQL that writes JSON.

Used by `persistence/tables/`; the text that SQLite keeps is the text that PostgreSQL prints inside JSON.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, Dialect, Table, Text, Uuid, event
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import CHAR, TypeDecorator, TypeEngine


class Identifier(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, on SQLite the 36 characters of its canonical text, which sort alike."""

    impl = CHAR(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Uuid() if dialect.name == "postgresql" else CHAR(36))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return None if value is None else UUID(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], UUID | None] | None:
        """None: asyncpg's ids are UUIDs of a quicker class, which are equal to others and are written alike."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class Timestamp(TypeDecorator[datetime]):
    """A moment in UTC to the microsecond. Refuses moments without a zone: they have meant something else before."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value if dialect.name == "postgresql" else timestamp_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """None: asyncpg gives moments as they are wanted, and a claim of hundreds of checks reads thousands of them."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


def timestamp_text(moment: datetime) -> str:
    """The text that PostgreSQL writes for a timestamptz inside JSON with TimeZone=UTC: no trailing zeros.

    It sorts as time does, since `+` < `.` < digits.
    """
    text = moment.astimezone(UTC).isoformat()
    date, _, zone = text.partition("+")
    return f"{date.rstrip('0')}+{zone}" if "." in date else text


def ordered_text(length: int | None = None) -> TypeEngine[str]:
    """Text that both databases order and compare by code point, whatever the database's locale."""
    return Text(length).with_variant(Text(length, collation="C"), "postgresql")


def json_column(name: str, *, nullable: bool = False, on_postgresql: TypeEngine[Any] | None = None) -> Column[Any]:
    """A JSON column that keeps its text (json, not jsonb). SQLite checks what PostgreSQL's type does.

    `on_postgresql` is another type for it there.
    """
    type_ = JSON(none_as_null=True)
    column = Column[Any](
        name, type_ if on_postgresql is None else type_.with_variant(on_postgresql, "postgresql"), nullable=nullable
    )
    event.listen(column, "after_parent_attach", _check_on_sqlite)
    return column


def _check_on_sqlite(column: Column[Any], table: Table) -> None:
    """A constraint of the table, since those of a column are written for every database, whatever `ddl_if` says."""
    valid = f"{column.name} IS NULL OR json_valid({column.name})"  # of NULL, older SQLite says that it isn't valid
    check = CheckConstraint(valid, name=f"{column.name}_is_json")
    table.append_constraint(check.ddl_if(dialect="sqlite"))
