"""Moments and ids are the same text, and sort alike, in both databases."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.engine.interfaces import Dialect

from persistence.column_types import Identifier, Timestamp, timestamp_text
from persistence.database import Database
from tests.postgresql import PostgresqlServer

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime.min + timedelta(2), datetime.max - timedelta(2)  # noqa: DTZ901 - hypothesis adds the zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES) | st.builds(
    lambda second, tenths: datetime(2026, 11, 23, 7, 30, second, tenths * 100_000, UTC),
    st.integers(0, 59),
    st.integers(0, 9),
)
SQLITE, POSTGRESQL = (make_url(f"{kind}://").get_dialect()() for kind in ("sqlite", "postgresql+asyncpg"))


@given(st.lists(MOMENTS, min_size=1, max_size=30))
def test_sqlite_keeps_the_text_that_postgresql_writes(
    postgresql_server: PostgresqlServer, moments: list[datetime]
) -> None:
    async def ask() -> list[str]:
        async with Database(postgresql_server.url("postgres")) as database:
            rows = await database.fetch("SELECT to_json(m) #>> '{}' FROM unnest($1::timestamptz[]) m", [moments])
            return [row[0] for row in rows]

    assert [timestamp_text(moment) for moment in moments] == asyncio.run(ask())


@given(MOMENTS, MOMENTS)
def test_the_text_of_moments_sorts_as_they_do(one: datetime, other: datetime) -> None:
    assert (timestamp_text(one) < timestamp_text(other)) == (one < other)
    assert (timestamp_text(one) == timestamp_text(other)) == (one == other)


@given(st.uuids(), st.uuids())
def test_the_text_of_ids_sorts_as_they_do(one: UUID, other: UUID) -> None:
    assert (str(one) < str(other)) == (one < other) == (one.bytes < other.bytes)


@given(MOMENTS)
def test_a_moment_comes_back_as_it_was(moment: datetime) -> None:
    kept = Timestamp().process_bind_param(moment, SQLITE)
    back = Timestamp().process_result_value(kept, SQLITE)
    assert back == moment
    assert back.tzinfo is UTC
    assert Timestamp().process_bind_param(moment, POSTGRESQL) is moment


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_a_moment_without_a_zone_is_refused(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        Timestamp().process_bind_param(datetime(2026, 11, 23), dialect)  # noqa: DTZ001 - that is the point
    assert Timestamp().process_bind_param(None, dialect) is None
    assert Timestamp().process_result_value(None, dialect) is None


@given(st.uuids(), st.uuids())
def test_an_id_comes_back_equal_to_what_it_was(id_: UUID, other: UUID) -> None:
    assert Identifier().process_result_value(Identifier().process_bind_param(id_, SQLITE), SQLITE) == id_
    assert Identifier().result_processor(POSTGRESQL, None) is None
    back = asyncpg.pgproto.pgproto.UUID(str(id_))  # what it comes back as from PostgreSQL
    assert isinstance(back, UUID)
    assert (back, hash(back), str(back), back.bytes) == (id_, hash(id_), str(id_), id_.bytes)
    assert (back < other, other < back, {back: 1}.get(id_)) == (id_ < other, other < id_, 1)
