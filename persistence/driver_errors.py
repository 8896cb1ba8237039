"""The one mapping of what database drivers raise: an outage is ServiceUnavailable, a broken unique rule has a name.

Used by everything in `persistence/` that talks to a database, around exactly that.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import Column
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import ServiceUnavailable

TOO_SLOW: Final = "The database took too long over this. Ask for less at once, or try again in a few seconds."
BUSY: Final = "Tether is busy: all its database connections are in use. Try again in a few seconds."


@contextmanager
def translating_errors() -> Iterator[None]:
    """Raises ServiceUnavailable, with no word of the driver's, if the database is gone, slow, locked, full or broken.

    Every other error passes: it is a fault in a statement, or a rule of the tables that its caller knows of.
    """
    try:
        yield
    except PoolTimeout as error:
        raise ServiceUnavailable(BUSY) from error
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error, ValueError, OSError) as error:
        if not _is_outage(error):
            raise
        if _is_too_slow(error):
            raise ServiceUnavailable(TOO_SLOW) from error
        raise ServiceUnavailable from error


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and _is_outage(error.driver_exception))
    if isinstance(error, asyncpg.PostgresError):
        state: str = error.sqlstate or ""
        return state[:2] in _POSTGRESQL_OUTAGE_CLASSES or state in _POSTGRESQL_OUTAGES
    if isinstance(error, sqlite3.Error):
        # A driver's own complaint has no code; of those, only one is about a connection that has gone.
        code: int | None = getattr(error, "sqlite_errorcode", None)
        return (code & 0xFF) in _SQLITE_OUTAGES if code is not None else "closed" in str(error)
    if isinstance(error, asyncpg.ClientConfigurationError | UnicodeError):
        return True  # a certificate that isn't there; a host's name that has no form for look-ups
    if isinstance(error, asyncpg.InterfaceError | ValueError):  # aiosqlite says it with a ValueError
        return any(gone in str(error).lower() for gone in ("connection is closed", "connection closed", "no active"))
    return isinstance(error, OSError)  # refused, reset, no such host, timed out


def _is_too_slow(error: BaseException) -> bool:
    """Whether the database was there, and was stopped or stopped itself because it took too long."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return _is_too_slow(error.driver_exception)
    if isinstance(error, asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError | TimeoutError):
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}


_POSTGRESQL_OUTAGE_CLASSES: Final = {
    "08",  # connection exception
    "28",  # the password or user is refused
    "3D",  # no such database
    "40",  # serialization failure, deadlock
    "53",  # out of memory, disk or connections
    "57",  # shutting down, starting up, statement timeout
}
_POSTGRESQL_OUTAGES: Final = {
    "25006",  # a standby, until it is promoted
    "25P03",  # idle in a transaction for too long
    "55P03",  # lock timeout
}
_SQLITE_OUTAGES: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}


def violates(error: IntegrityError, name: str, *columns: Column[Any]) -> bool:
    """Whether the statement failed because of the unique index or constraint of this name over these columns."""
    cause = error.driver_exception
    if isinstance(cause, asyncpg.UniqueViolationError):
        return bool(cause.constraint_name == name)
    described = ", ".join(f"{column.table.name}.{column.name}" for column in columns)
    return str(cause) == f"UNIQUE constraint failed: {described}"  # SQLite tells the columns instead
