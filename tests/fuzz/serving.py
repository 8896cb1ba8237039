"""The server that is fuzzed: the real application behind real HTTP, on a database that holds the generated world."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.key_ring import generate_key
from gql.schema import build_schema
from tests.documents.data import World, store
from tests.documents.slow_evaluator import SlowEvaluator
from tests.fuzz.callers import Caller, world_with_callers
from tests.fuzz.fuzzer import Fuzzer
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """`fuzzer` knows the server's address; it is to run in a thread beside the server's loop."""

    server: TetherServer
    fuzzer: Fuzzer
    owner: Caller
    secrets: list[str]


@asynccontextmanager
async def fuzzed_server(database_url: str, sandbox: SandboxServer) -> AsyncIterator[Fuzzed]:
    """On a migrated and empty database."""
    world, callers = world_with_callers()
    await store(world, database_url)
    key = generate_key(development=True)
    async with running_tether(database_url, sandbox, key) as server:
        sdl = build_schema().as_str()
        secrets = [key, *_sealed(world)]
        evaluator = SlowEvaluator(sdl, world, server.tether.catalogue)
        owner = next(caller for caller in callers if caller.viewer.role_cap == "OWNER")
        yield Fuzzed(server, Fuzzer(server.url, sdl, world, callers, evaluator, secrets), owner, secrets)


def _sealed(world: World) -> list[str]:
    """How the stored secrets and hashes of keys would look in a text."""
    hashes = [row["secret_hash"].hex() for row in world.table("api_keys")]
    return [*hashes, *{row["sealed"] for row in world.table("service_credentials")}]
