"""A way out for tests: it may call the sandbox, and gives up soon, so that a slow answer costs a test little time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.address_guard import OutboundAllow
from domain.http import HttpClient, HttpLimits


@asynccontextmanager
async def impatient_client() -> AsyncIterator[HttpClient]:
    client = HttpClient(
        allow=OutboundAllow.parse("127.0.0.1"),
        limits=HttpLimits(read_timeout_seconds=1.0, deadline_seconds=2.0),
        retry_delay_seconds=lambda: 0,
    )
    try:
        yield client
    finally:
        await client.aclose()
