"""The address of a database, read and checked: which of the two kinds it is, and whether it can be there at all.

Called by Database and by the migrations, before either connects.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_FORMS: Final = "sqlite+aiosqlite:///path/to/file or postgresql+asyncpg://user:password@host/database"
_UNREADABLE: Final = f"The database's address can't be read. Write {_FORMS}."

# What may stand behind the `?` of a PostgreSQL server's address, and with which values (None: any).
_ARGUMENTS: Final = {
    "host": None,
    "passfile": None,
    "ssl": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
}


def parse_database_url(text: str) -> URL:
    """The address, of one of the two kinds that Tether knows.

    Raises ValueError, which never repeats the address, since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(_UNREADABLE) from None
    if url.drivername == "postgresql+asyncpg":
        _check_arguments(url)
    elif url.drivername == "sqlite+aiosqlite":
        _check_file(url)
    else:
        raise ValueError(f"A database of the kind {url.drivername!r} isn't supported. Write {_FORMS}.")
    try:
        _, arguments = url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise ValueError(_UNREADABLE) from None
    if not all(0 < port < 65_536 for port in _ports(arguments.get("port"))):
        raise ValueError("The port in the database's address is a number from 1 to 65535.")
    return url


def _check_arguments(url: URL) -> None:
    for name, given in url.query.items():
        if name not in _ARGUMENTS:
            known = ", ".join(_ARGUMENTS)
            raise ValueError(f"A PostgreSQL address has no argument {name[:40]!r} behind its '?'. It knows: {known}.")
        values = _ARGUMENTS[name]
        if values is not None and given not in values:
            raise ValueError(f"The argument {name} of a PostgreSQL address is one of {', '.join(values)}.")


def _ports(told: int | list[int] | None) -> list[int]:
    return told if isinstance(told, list) else [] if told is None else [told]


def _check_file(url: URL) -> None:
    if not url.database or url.database.startswith(("file:", ":memory:")):
        raise ValueError("SQLite needs a file: every connection to a database in memory sees another one.")
    if url.query:
        raise ValueError("SQLite's address takes no arguments: leave out the '?' and what follows it.")
    folder = Path(url.database).absolute().parent
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder} for the database {Path(url.database).name}. Create it first.")
