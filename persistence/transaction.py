"""Transaction: the one way in which a repository's statements reach the database.

Made by Database for a unit of work, which gives it to its repositories.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.driver_errors import translating_errors
from persistence.row_security import EVERYWHERE, Reach
from persistence.statement_watch import StatementWatch, kind_of
from persistence.uninterrupted import uninterrupted


class Transaction:
    """An open transaction, which sees the rows in its reach.

    `writes`: it may change rows, and locks those that it gets in order to change them.
    """

    def __init__(self, connection: AsyncConnection, reach: Reach, *, writes: bool, watch: StatementWatch) -> None:
        self.connection = connection
        self.reach = reach
        self.writes = writes
        self.watch = watch

    async def begin(self) -> None:
        await self.connection.begin()
        await self._set(self.reach)

    @asynccontextmanager
    async def everywhere(self) -> AsyncIterator[None]:
        """For a statement that has to look beyond the organization that the unit of work is bound to, and says why.

        Should it fail, the transaction is of no more use, and is left as it is.
        """
        if self.reach is EVERYWHERE:
            yield
            return
        await self._set(EVERYWHERE)
        yield
        await self._set(self.reach)

    async def _set(self, reach: Reach) -> None:
        if self.connection.dialect.name == "postgresql":
            with translating_errors():
                await uninterrupted(self.connection.exec_driver_sql(reach.select, reach.values))

    async def execute(
        self, statement: Executable, parameters: Sequence[dict[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run it, also where the caller is cancelled meanwhile.

        Raises ServiceUnavailable for an outage, IntegrityError where a rule of the tables forbids it, and RuntimeError
        if the transaction has ended, or is to write and was begun to read: it would never be kept.
        """
        if statement.is_dml and not self.writes:
            raise RuntimeError("a reading unit of work doesn't write")
        if not self.connection.in_transaction():
            raise RuntimeError("this unit of work has ended")
        with translating_errors(), self.watch.watching(kind_of(statement)) as watched:
            result = await uninterrupted(self.connection.execute(statement, parameters))
            watched.is_sql(result.context.statement or "")
            return result
