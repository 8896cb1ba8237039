"""PostgreSQL as Tether runs it: session settings, SQLAlchemy's engine for units of work, raw connections for reads.

Called by Database alone.
"""

from typing import Any, Final

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from persistence.json_text import ENGINE_JSON

CONNECT_SECONDS: Final = 5
_SESSION: Final = {
    "application_name": "tether",
    "TimeZone": "UTC",  # JSON shows every moment as this zone's
    "default_transaction_isolation": "read committed",
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    # As if a row were found by its key nearly as quickly as beside the last one, as on solid disks: by the
    # usual 4 a table of 30,000 is read whole to change 500 rows whose keys are known.
    "random_page_cost": "1.1",
    "jit": "off",  # statements here are short; compiling them costs more than it saves
}
_READING: Final = {
    **_SESSION,
    # One plan for each statement, whatever its values: planning a document takes half as long as running it, and a
    # plan that is made anew for each call can change with the statistics. Every order of a list has its index.
    "plan_cache_mode": "force_generic_plan",
}
_KEEP_MEMORY: Final = "select length(repeat(' ', 2097152))"
"""Has a server process on Linux keep the memory that a document takes, up to 4 MiB, for the next one.

glibc's malloc gives memory back beyond twice the largest block that was ever mapped by itself and freed, which is
128 KiB until there is one. A page of 150 KB would get 750 KB from the kernel and give them back each time, which took
a third of its processor time.
"""
_CONNECT: Final[dict[str, Any]] = {
    "timeout": CONNECT_SECONDS,
    "server_settings": _SESSION,
    "max_cacheable_statement_size": 0,  # documents are longer than the 15 KB up to which asyncpg would cache
}


def create_engine(url: URL, *, size: int, wait_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        connect_args=_CONNECT,
        pool_size=size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        pool_use_lifo=True,
        hide_parameters=True,
        **ENGINE_JSON,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_if_closed)
    return engine


def _refuse_if_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Notices for free what a ping would ask for by two more round trips: that the server has hung up."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


class PostgresqlDriver:
    """asyncpg's connections, by themselves."""

    def __init__(self, engine: AsyncEngine, url: URL) -> None:
        _, arguments = engine.dialect.create_connect_args(url)
        self._arguments = {
            name: value for name, value in arguments.items() if not name.startswith("prepared_statement_")
        }

    async def connect(self) -> Any:
        connection = await asyncpg.connect(**self._arguments, **{**_CONNECT, "server_settings": _READING})
        try:
            await connection.execute(_KEEP_MEMORY)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def is_usable(self, connection: Any) -> bool:
        return not connection.is_closed() and not connection.is_in_transaction()

    async def interrupt(self, connection: Any) -> None:
        """End it. asyncpg asks the server to cancel; where that comes before the statement has begun, it runs on."""
        connection.terminate()

    def terminate(self, connection: Any) -> None:
        connection.terminate()

    async def close(self, connection: Any) -> None:
        await connection.close(timeout=CONNECT_SECONDS)

    async def settle(self) -> None:
        """At once: what was terminated is gone."""
