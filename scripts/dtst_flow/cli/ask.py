"""Have a run's server fork for a job, and end as the job does: what `forkserver` describes.

    python -IS ask.py ADDRESS PYTHON SCRIPT

It is started for every job, and so imports nothing that takes a moment.
"""

import os
import signal
import socket
import sys

STREAMS = (0, 1, 2)
SIZE = 8
"""Bytes that tell how many follow."""


def main() -> None:
    """Ask for a fork; without a server, or for another Python, become what was asked for."""
    address, *command = sys.argv[1:]
    code = None
    if len(command) == 2 and command[0] == sys.executable:
        code = forked(address, command[1])
    if code is None:
        os.execvp(command[0], command)
    sys.exit(code if code >= 0 else 128 - code)  # of a signal, as shells have it


def forked(address: str, script: str) -> int | None:
    """Wait for the exit code of a fork that runs a script; None if no server is there.

    Ctrl-C is the fork's to end in order.
    """
    asker = socket.socket(socket.AF_UNIX)
    try:
        asker.connect(address)
    except OSError:
        return None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    variables = (name + b"=" + value for name, value in os.environb.items())
    given = b"\0".join([os.fsencode(script), os.fsencode(os.getcwd()), *variables])
    socket.send_fds(asker, [len(given).to_bytes(SIZE, "big")], STREAMS)
    asker.sendall(given)
    code = asker.recv(16)
    if not code:
        sys.exit("the job could not be forked, or what forks jobs was killed")
    return int(code)


if __name__ == "__main__":
    main()
