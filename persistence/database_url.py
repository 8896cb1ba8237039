"""The address of a database, read and checked: which of the two kinds it is, and whether it can be there at all.

Called by Database and by the migrations, before either connects.
"""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_FORMS = "sqlite+aiosqlite:///path/to/file or postgresql+asyncpg://user:password@host/database"


def parse_database_url(text: str) -> URL:
    """The address, of one of the two kinds that Tether knows.

    Raises ValueError, which never repeats the address, since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"The database's address can't be read. Write {_FORMS}.") from None
    if url.drivername == "postgresql+asyncpg":
        return url
    if url.drivername != "sqlite+aiosqlite":
        raise ValueError(f"A database of the kind {url.drivername!r} isn't supported. Write {_FORMS}.")
    if not url.database or url.database.startswith(("file:", ":memory:")):
        raise ValueError("SQLite needs a file: every connection to a database in memory sees another one.")
    folder = Path(url.database).absolute().parent
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder} for the database {Path(url.database).name}. Create it first.")
    return url
