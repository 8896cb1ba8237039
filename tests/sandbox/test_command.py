"""`python -m sandbox` says where it listens and ends cleanly."""

import asyncio
import signal
import sys

import httpx2
import pytest

from tests.plain_http import NO_TLS

pytestmark = pytest.mark.anyio


async def command(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *arguments, stdout=pipe, stderr=pipe, env={}
    )


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_it_listens_on_the_port_it_prints_until_it_is_told_to_stop(signal_number: signal.Signals) -> None:
    process = await command("--port", "0")
    url = (await first_line(process)).removeprefix("Sandbox at ").strip()
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        authorization = {"authorization": "Bearer sandbox-github-acme"}
        assert (await client.get(f"{url}/github/api/user", headers=authorization)).status_code == 200
        process.send_signal(signal_number)
        output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, output, errors) == (0, b"", b"")


async def test_a_port_in_use_is_said_in_one_line() -> None:
    first = await command("--port", "0")
    port = (await first_line(first)).rsplit(":", 1)[1].strip()
    second = await command("--port", port)
    _, errors = await asyncio.wait_for(second.communicate(), 20)
    first.terminate()
    await first.communicate()
    assert second.returncode == 1
    assert errors.decode().startswith(f"Can't listen on 127.0.0.1:{port}: ")
    assert len(errors.splitlines()) == 1


async def test_help_has_an_example() -> None:
    process = await command("--help")
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert b"Example: python -m sandbox --port 8010" in output
