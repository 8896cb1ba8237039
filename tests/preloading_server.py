"""The process that programs of tests are forked from: it has imported what they need, and runs until its input ends.

Started by preloaded_python.py. A program lives no longer than who asked for it, and none longer than this process.
"""

import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import struct
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_MODULES: Final = ("gql.commands", "tests.domain.check_worker", "tests.domain.refresh_worker")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run, and with which files, the first three."""

    command: list[str]
    environ: dict[str, str]
    folder: str
    files: list[int]


def main() -> None:
    for module in _MODULES:
        found = importlib.import_module(module)
        for each in pkgutil.iter_modules(getattr(found, "__path__", ())):
            importlib.import_module(f"{module}.{each.name}")
    gc.collect()
    gc.freeze()  # what is there for good needn't be looked at, nor copied, by every program
    folder = tempfile.mkdtemp(prefix="tether-python-")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/socket")
    listener.listen()
    sys.stdout.write(f"{folder}/socket\n")
    sys.stdout.flush()
    order = _Server(listener).serve()
    if order is None:
        shutil.rmtree(folder)
    else:
        _become(order)


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._watched = selectors.DefaultSelector()
        self._programs: dict[int, tuple[int, socket.socket]] = {}

    def serve(self) -> Order | None:
        """Returns in each program with its order, and with None when the input has ended."""
        self._watched.register(0, selectors.EVENT_READ)
        self._watched.register(self._listener, selectors.EVENT_READ)
        while True:
            for key, _ in self._watched.select():
                if key.fd == 0:
                    for program, _ in self._programs.values():
                        os.kill(program, signal.SIGKILL)
                    return None
                if key.fileobj is self._listener:
                    if (order := self._start()) is not None:
                        return order
                elif key.data is None:
                    self._ended(key.fd)
                else:
                    self._told(key.data)

    def _start(self) -> Order | None:
        client, _ = self._listener.accept()
        size, files, _, _ = socket.recv_fds(client, 4, 3)
        with client.makefile("rb") as written:
            command, environ, folder = marshal.loads(written.read(*struct.unpack("I", size)))  # noqa: S302 - ours
        if (program := os.fork()) == 0:
            self._watched.close()
            self._listener.close()
            client.close()
            for ended, (_, other) in self._programs.items():
                os.close(ended)
                other.close()
            return Order(command, environ, folder, files)
        for file in files:
            os.close(file)
        ended = os.pidfd_open(program)
        self._programs[ended] = program, client
        self._watched.register(ended, selectors.EVENT_READ)
        self._watched.register(client, selectors.EVENT_READ, ended)
        return None

    def _told(self, ended: int) -> None:
        """A signal to pass on; or who asked for the program is gone, and so is the program."""
        if ended in self._programs:
            _, client = self._programs[ended]
            for number in client.recv(16) or [signal.SIGKILL]:
                signal.pidfd_send_signal(ended, number)

    def _ended(self, ended: int) -> None:
        program, client = self._programs.pop(ended)
        _, status = os.waitpid(program, 0)
        self._watched.unregister(client)
        self._watched.unregister(ended)
        os.close(ended)
        with client, suppress(BrokenPipeError):
            client.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))


def _become(order: Order) -> None:
    for number, file in enumerate(order.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environ)
    module, *arguments = order.command
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)  # else `runpy` warns of what it runs anew
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
