"""Stands for a program that preloading_server.py forks: gives it files and arguments, passes signals on, ends as it.

Run by preloaded_python.py, for each program once; so it imports as little as it can.
"""

import marshal
import os
import signal
import socket
import struct
import sys


def main() -> None:
    address, *command = sys.argv[1:]
    server = socket.socket(socket.AF_UNIX)
    server.connect(address)
    passed_on = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGUSR1: signal.SIGKILL}
    for number in passed_on:
        signal.signal(number, lambda number, _: server.sendall(bytes([passed_on[signal.Signals(number)]])))
    order = marshal.dumps((command, dict(os.environ), os.getcwd()))
    socket.send_fds(server, [struct.pack("I", len(order))], [0, 1, 2])
    server.sendall(order)
    os.closerange(0, 3)  # they are the program's alone, so that they end when it ends
    (code,) = struct.unpack("i", server.recv(4))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
