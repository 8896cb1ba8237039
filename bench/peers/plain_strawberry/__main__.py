"""Serves it, at PORT from the database at DATABASE_URL. Started by the bench as a process of its own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

from bench.peers.plain_strawberry.schema import create_pool, schema
from bench.peers.plain_strawberry.statements import Context


class _View(GraphQL[Context, None]):
    def __init__(self) -> None:
        super().__init__(schema, graphql_ide=None)
        self.pool: Any = None

    async def get_context(self, request: Any, response: Any) -> Context:
        return Context(self.pool)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def main() -> None:
    """Serve until told to stop."""
    view = _View()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with create_pool(os.environ["DATABASE_URL"]) as view.pool:
            yield

    application = Starlette(routes=[Route("/graphql", view, methods=["POST"])], lifespan=lifespan)
    uvicorn.run(application, port=int(os.environ["PORT"]), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
