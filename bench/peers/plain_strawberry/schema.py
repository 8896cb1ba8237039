"""The schema, and the pool that its contexts use. Called by the server, and by a test beside Tether."""

from typing import Any

import asyncpg
import orjson
import strawberry
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from bench.peers.plain_strawberry.types import Query, Url

schema = strawberry.Schema(
    Query,
    extensions=[ParserCache, ValidationCache],
    config=StrawberryConfig(scalar_map={Url: strawberry.scalar(name="URL")}),
)


def create_pool(dsn: str) -> Any:
    """An asyncpg pool that reads JSON columns as Python's values. Await it, or use it as a context."""
    return asyncpg.create_pool(dsn, min_size=1, max_size=8, init=_read_json)


async def _read_json(connection: Any) -> None:
    await connection.set_type_codec("json", schema="pg_catalog", encoder=orjson.dumps, decoder=orjson.loads)
