"""The client that all tests of services call through."""

from collections.abc import AsyncIterator

import pytest

from domain.http import HttpClient
from tests.domain.impatient_client import impatient_client


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with impatient_client() as client:
        yield client
