"""The world that the tests read: as rows in a database, and as the same rows for the slow evaluator.

Used by this folder's conftest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import insert

from domain.entities.health import HealthProbe, ProbeOutcome, Remedy
from persistence.database import Database
from persistence.repositories.health_probes import probes_to_json
from persistence.tables import metadata
from tests.documents.world_maker import Row, make_rows
from tests.every_row import every_row


@dataclass(frozen=True, slots=True)
class World:
    """Rows by the names of their tables."""

    rows: dict[str, list[Row]] = field(repr=False)

    def table(self, name: str) -> list[Row]:
        return self.rows[name]

    def by_id(self, name: str, id_: UUID | None) -> Row | None:
        return next((row for row in self.rows[name] if row["id"] == id_), None)


def make_world() -> World:
    """The same world each time."""
    return World(make_rows())


async def store(world: World, database_url: str) -> None:
    """Write the world into a migrated, empty database."""
    async with Database(database_url) as database, every_row(database) as connection:
        for table in metadata.sorted_tables:
            rows = [_stored(row) for row in world.rows.get(table.name, [])]
            if rows:
                await connection.execute(insert(table), rows)


def _stored(row: Row) -> Row:
    """Probes go into the database as the repositories write them."""
    kept = dict(row)
    for column in ("probes", "health_probes"):
        if column in row:
            kept[column] = probes_to_json([_probe(probe) for probe in row[column]])
    return kept


def _probe(probe: Row) -> HealthProbe:
    return HealthProbe(**{**probe, "outcome": ProbeOutcome(probe["outcome"]), "remedy": Remedy(probe["remedy"])})


def in_order(rows: Sequence[Row], *columns: str) -> list[Row]:
    """Rows sorted by columns, the first one first."""
    return sorted(rows, key=lambda row: tuple(row[column] for column in columns))
