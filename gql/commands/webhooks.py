"""`tether webhooks replay`: stored webhooks, processed once more. The running server does it; this lists which."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator

from domain.entities.webhook_delivery import WebhookDelivery
from gql.bootstrap import Tether, running
from gql.operator_error import OperatorError
from gql.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    asyncio.run(_replay(arguments))
    return 0


async def _replay(arguments: argparse.Namespace) -> None:
    async with running(Settings.from_environment(os.environ)) as tether:
        count = 0
        async for delivery in _replayed(tether, arguments):
            count += 1
            sys.stdout.write(_line(delivery) + "\n")
        if not count:
            raise OperatorError("No such webhook is stored. They are kept for 30 days; the service may send it again.")
        sys.stdout.write(f"Put back to be processed: {count}\n")


async def _replayed(tether: Tether, arguments: argparse.Namespace) -> AsyncIterator[WebhookDelivery]:
    catalogue = tether.catalogue
    for service in catalogue if arguments.service is None else [catalogue.get(arguments.service)]:
        if arguments.delivery is None:
            async for delivery in tether.webhooks.replay_since(service.id, arguments.since):
                yield delivery
        elif (found := await tether.webhooks.replay(service.id, arguments.delivery)) is not None:
            yield found


def _line(delivery: WebhookDelivery) -> str:
    """Nothing of its body."""
    received = f"{delivery.received_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{delivery.service} {delivery.event} {delivery.delivery_id}, received {received}: {delivery.state.lower()}"
