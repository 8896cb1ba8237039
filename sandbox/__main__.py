"""The command `python -m sandbox`: serves the simulated services until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sys

from sandbox.app import create_app
from sandbox.serving import serving


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A simulated GitHub, Slack, GitLab and OpenID provider, for development and tests. It keeps "
        "nothing on disk and asks nobody for credentials: leave it on loopback.",
        epilog="Example: python -m sandbox --port 8010, then open http://127.0.0.1:8010/ for the tokens it knows, or "
        "curl -H 'Authorization: Bearer sandbox-github-acme' http://127.0.0.1:8010/github/api/user",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=8010, type=_port, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--webhooks-to", metavar="URL", help="address whose /github, /slack and so on get webhooks")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        asyncio.run(_serve_until_told(arguments.host, arguments.port, arguments.webhooks_to))
    except OSError as error:
        print(f"Can't listen on {arguments.host}:{arguments.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


async def _serve_until_told(host: str, port: int, webhooks_to: str | None) -> None:
    told = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, told.set)
    async with serving(create_app(webhooks_to=webhooks_to), host, port) as url:
        print(f"Sandbox at {url}", flush=True)
        await told.wait()


if __name__ == "__main__":
    sys.exit(main())
