"""`tether serve`: the server, until it is told to stop. Called by `make serve` and by whatever supervises processes."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from gql.background_work import BackgroundWork
from gql.bootstrap import Tether, running
from gql.garbage import collect_less
from gql.http.application import create_application
from gql.limit_settings import Limits
from gql.operator_error import OperatorError
from gql.sample import FOUNDER, SLUG, find_founder
from gql.settings import Environment, Settings, TrustedDocumentsMode

SHUTDOWN_TIMEOUT_SECONDS = 5
"""How long running requests may go on after the server was told to stop. A second signal ends them at once.

The runner's DRAIN_SECONDS follow, and the CLOSING_SECONDS of refresher and commands, side by side: it all ends within
20 seconds.
"""


def run(arguments: argparse.Namespace) -> int:
    settings = Settings.from_environment(os.environ)
    with (
        _listener(arguments.host, arguments.port, settings.limits) as listener,
        asyncio.Runner(loop_factory=auto_loop_factory()) as runner,
    ):
        runner.run(_serve(settings, listener, without_worker=arguments.without_worker))
    return 0


async def _serve(settings: Settings, listener: socket.socket, *, without_worker: bool) -> None:
    async with running(settings) as opened:
        tether = replace(opened, sample_founder=await find_founder(opened))
        work = BackgroundWork(tether)
        application = create_application(tether, wake_runner=work.hint)
        server = _Server(server_config(application, settings.limits), greeting=_greeting(tether, listener))

        def stop() -> None:
            work.stop()
            application.drain()
            server.stop()

        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, stop)
        async with nullcontext() if without_worker else work.working():
            await server.serve(sockets=[listener])


def _listener(host: str, port: int, limits: Limits) -> socket.socket:
    """Taken before anything else is opened. Raises OperatorError."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as failed:
        reason = (failed.strerror or "").partition(" (")[0]  # in brackets it tells the address again
        raise OperatorError(f"Can't listen on {host}:{port}: {reason}.") from None
    prepare_listener(listener, limits)
    return listener


def prepare_listener(listener: socket.socket, limits: Limits) -> None:
    """What all connections to it take over from it, here and in tests."""
    # asyncio doesn't set it on connections of a socket made like this; without it answers wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: else what a client never reads would be kept as long as it lives
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.socket_unread_seconds * 1_000)


def server_config(application: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves it, here and in tests."""
    logging.getLogger("uvicorn.error").addFilter(_isnt_of_a_refused_handshake)
    return uvicorn.Config(
        application,
        ws="websockets-sansio",
        ws_max_size=limits.frame_kilobytes * 1024,
        ws_per_message_deflate=False,  # costs more time and memory for each subscriber than it saves
        lifespan="off",
        log_config=None,
        access_log=False,  # addresses can hold variables of operations
        server_header=False,
        proxy_headers=False,  # RequestFrame reads them, by TETHER_TRUSTED_PROXIES
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )


def _isnt_of_a_refused_handshake(record: logging.LogRecord) -> bool:
    """uvicorn takes a WebSocket that is refused before it opens, or whose client is gone by then, for our mistake.

    Whoever sends requests could fill the log with errors; the refusal log has told of it, as often as it may.
    """
    return record.getMessage() != "ASGI callable returned without completing handshake."


class _Server(uvicorn.Server):
    """Says when it listens. Its signals are handled by whoever runs it, so that everything is closed in order."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    def stop(self) -> None:
        """Finish what is running; the second time, don't wait for it."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        collect_less()
        sys.stdout.write(self._greeting)
        sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _greeting(tether: Tether, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = [f"Tether runs at {url}"]
    if tether.settings.trusted_documents is TrustedDocumentsMode.REQUIRE:
        lines.append(f"GraphQL:       {url}/graphql, for published documents alone")
    else:
        lines.append(f"GraphiQL:      {url}/graphql")
    if tether.sample_founder is not None:
        lines.append(f"Signed in as:  {FOUNDER}, an OWNER of {SLUG} (development; scripts use `tether token`)")
    elif tether.settings.environment is Environment.DEVELOPMENT:
        lines.append("Signed in as:  nobody, until `tether sample` has created the sample organization")
    return "\n".join(lines) + "\n"
