"""A cable between Tether and its PostgreSQL that a test can cut and mend: a relay of bytes on a socket of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url


class Cable:
    """Relays connections to the server until it is cut; those that were open then are lost."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._target = make_url(database_url)
        self._socket = folder / ".s.PGSQL.5432"
        self.url = self._target.set(host=None, port=None, query={"host": str(folder)}).render_as_string(
            hide_password=False
        )
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        self._server = await asyncio.start_unix_server(self._relay, self._socket)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = self._target.query.get("host")
        if folder is not None:
            there, to_there = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{self._target.port or 5432}")
        else:
            there, to_there = await asyncio.open_connection(self._target.host, self._target.port or 5432)
        self._writers |= {writer, to_there}
        await asyncio.gather(_copy(reader, to_there), _copy(there, writer))
        self._writers -= {writer, to_there}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:  # the cable was cut
        pass
    finally:
        writer.close()


@asynccontextmanager
async def cable_to(database_url: str, folder: Path) -> AsyncIterator[Cable]:
    cable = Cable(database_url, folder)
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()
