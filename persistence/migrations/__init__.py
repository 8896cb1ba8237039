"""Migrations: bring a database to a revision of the tables, up or down. No file of settings is needed.

Called by `tether migrate`, by `make serve` through it, and by the tests. Synchronous: from async code, use
`asyncio.to_thread`. `python -m persistence.migrations "what changes"` writes the next revision from
`persistence/tables/`.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from persistence.database_url import parse_database_url
from persistence.driver_errors import translating_errors
from persistence.migrations.exclusively import exclusively

_one_at_a_time = threading.Lock()  # alembic.op speaks to one migration a process


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database up to a revision, all steps in one transaction. Creates the file of a SQLite database.

    Processes that do so at once wait for each other. Raises ValueError for an address that can't be used, and
    ServiceUnavailable if the database can't be reached.
    """
    _migrate(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Bring it down to a revision, or to none: "base". What the later ones kept is lost. Raises as `upgrade`."""
    _migrate(database_url, lambda config: command.downgrade(config, revision))


@cache
def head() -> str:
    """The newest revision: what `Database.migration_revision` answers for a database that is up to date."""
    (newest,) = ScriptDirectory.from_config(_config()).get_heads()
    return newest


def write_revision(database_url: str, message: str) -> None:
    """Write a revision file with what distinguishes the tables in the code from this database, to be corrected."""
    number = f"{int(head()) + 1:04}"
    _migrate(database_url, lambda config: command.revision(config, message, autogenerate=True, rev_id=number))


def _migrate(database_url: str, task: Callable[[Config], object]) -> None:
    url = parse_database_url(database_url)

    def with_connection(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        task(config)

    async def migrate() -> None:
        with translating_errors():
            async with exclusively(url) as connection:
                await connection.run_sync(with_connection)

    with _one_at_a_time:
        asyncio.run(migrate())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
