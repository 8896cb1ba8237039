"""`tether sample`: development's sample organization. Called by `make serve` at every start; production refuses it."""

import argparse
import asyncio
import os
import sys

from gql.bootstrap import running
from gql.operator_error import OperatorError
from gql.sample import create_sample
from gql.settings import Environment, Settings


def run(_arguments: argparse.Namespace) -> int:
    settings = Settings.from_environment(os.environ)
    if settings.environment is not Environment.DEVELOPMENT:
        raise OperatorError(
            "The sample organization is for development, and this is production: TETHER_ENVIRONMENT says so, "
            "or isn't set."
        )
    asyncio.run(_create(settings))
    return 0


async def _create(settings: Settings) -> None:
    async with running(settings) as tether:
        for line in await create_sample(tether):
            sys.stdout.write(line + "\n")
