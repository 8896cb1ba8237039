"""`tether token`: an operator's way to a first API key. The token alone goes to standard output, for scripts."""

import argparse
import asyncio
import os
import sys

from domain.secret import Secret
from gql.bootstrap import running
from gql.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    token = asyncio.run(_issue(arguments))
    sys.stdout.write(token.reveal() + "\n")
    return 0


async def _issue(arguments: argparse.Namespace) -> Secret:
    async with running(Settings.from_environment(os.environ)) as tether:
        return await tether.user_service.issue_api_key(arguments.organization, arguments.user, arguments.role)
