"""What may have the name of a file without being one that can be read."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 20
"""After which a test is hanging."""


def _socket(path: Path) -> None:
    # By a short name, as the system takes no long ones.
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def _hole(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "socket": _socket,
    "hole of a terabyte": _hole,
    "folder": Path.mkdir,
}
"""Kind -> makes one under a name."""


def put(kind: str, path: Path) -> None:
    """Put one where a file may be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    KINDS[kind](path)


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Fail instead of waiting without end."""

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
