"""Gathering: connections that many places of an answer show, read as documents in one statement for all of them.

Used by the executor. A list that isn't stored, such as what can be done through which connection, resolves each of its
connections to a `Gathered`; those that ask the same of theirs are read together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from graphql.execution.collect_fields import FieldDetailsList
from orjson import Fragment

from domain.errors import Forbidden

Read = Callable[[Sequence[UUID]], Awaitable[str | None]]
"""Gives the JSON text of `roots.connections`."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a resolver returns to have a connection shown that it knows to be there."""

    connection_id: UUID


def gathered(connection_id: UUID) -> Any:
    """The same: for the type checker, anything at all."""
    return Gathered(connection_id)


@dataclass(slots=True)
class _Batch:
    ids: dict[UUID, None] = field(default_factory=dict)
    reading: "asyncio.Task[Mapping[str, bytes]] | None" = None


class Gathering:
    """One an operation."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, ...], _Batch] = {}

    def ask(self, wanted: Gathered, details: FieldDetailsList, read: Read) -> Awaitable[Fragment]:
        """The connection's document, with those that are asked for before the event loop turns."""
        key = tuple(id(each.node) for each in details)
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch()
            batch.reading = asyncio.create_task(self._read(key, batch, read))
        batch.ids[wanted.connection_id] = None
        return _one(batch, wanted.connection_id)

    async def _read(self, key: tuple[int, ...], batch: _Batch, read: Read) -> Mapping[str, bytes]:
        del self._open[key]
        text = await read(list(batch.ids))
        return {id_: orjson.dumps(document) for id_, document in orjson.loads(text or "[]")}


async def _one(batch: _Batch, connection_id: UUID) -> Fragment:
    if batch.reading is None:
        raise AssertionError("a batch is read from its beginning")
    documents = await batch.reading
    document = documents.get(str(connection_id))
    if document is None:  # it was deleted meanwhile
        raise Forbidden("This is no longer yours to see.")
    return Fragment(document)
