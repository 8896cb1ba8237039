"""What each client sees of Tether is what its users expect: the checks in the folder of its name."""

from typing import Final

import pytest

from tests.clients.running import FOLDER, Check, publish, run_checks, run_node
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

RELAY_COMPILER: Final = "node_modules/relay-compiler/cli.js"


async def test_graphql_ws(postgresql_tether: TetherServer) -> None:
    _all_passed(await run_checks("graphql-ws", postgresql_tether))


@pytest.mark.parametrize("client", ["graphql-sse", "apollo", "urql"])
async def test_client(client: str, shared_server: TetherServer) -> None:
    _all_passed(await run_checks(client, shared_server))


async def test_relay(shared_server: TetherServer, published_only: TetherServer, encryption_key: str) -> None:
    await run_node(RELAY_COMPILER, "relay.config.json", within="relay")
    _all_passed(await run_checks("relay", shared_server))

    manifest = "relay/app/__generated__/documents.json"
    (FOLDER / manifest).write_text("{}", "utf-8")  # the compiler adds to it, and wants it to be there
    await run_node(RELAY_COMPILER, "published.config.json", within="relay")
    await publish(manifest, shared_server, encryption_key)
    _all_passed(await run_checks("relay", shared_server, published_only=published_only))


async def test_graphql_codegen(shared_server: TetherServer, published_only: TetherServer, encryption_key: str) -> None:
    await run_node("node_modules/@graphql-codegen/cli/esm/bin.js", "--silent", within="codegen")
    await run_node("node_modules/typescript/bin/tsc", within="codegen")
    _all_passed(await run_checks("codegen", shared_server))

    await publish("codegen/app/__generated__/persisted-documents.json", shared_server, encryption_key)
    _all_passed(await run_checks("codegen", shared_server, published_only=published_only))


def _all_passed(checks: list[Check]) -> None:
    assert checks
    failed = [f"{check.name}: {check.seen}" for check in checks if check.seen is not None]
    assert not failed, "\n\n".join(failed)
