"""What each client sees of Tether is what its users expect: the checks in the folder of its name."""

import pytest

from tests.clients.running import Check, run_checks, run_node
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio


async def test_graphql_ws(postgresql_tether: TetherServer) -> None:
    _all_passed(await run_checks("graphql-ws", postgresql_tether))


@pytest.mark.parametrize("client", ["graphql-sse", "apollo", "urql"])
async def test_client(client: str, shared_server: TetherServer) -> None:
    _all_passed(await run_checks(client, shared_server))


async def test_relay(shared_server: TetherServer) -> None:
    await run_node("node_modules/relay-compiler/cli.js", within="relay")
    _all_passed(await run_checks("relay", shared_server))


async def test_graphql_codegen(shared_server: TetherServer) -> None:
    await run_node("node_modules/@graphql-codegen/cli/esm/bin.js", "--silent", within="codegen")
    await run_node("node_modules/typescript/bin/tsc", within="codegen")
    _all_passed(await run_checks("codegen", shared_server))


def _all_passed(checks: list[Check]) -> None:
    assert checks
    failed = [f"{check.name}: {check.seen}" for check in checks if check.seen is not None]
    assert not failed, "\n\n".join(failed)
