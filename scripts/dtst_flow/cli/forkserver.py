"""The jobs of a run as forks of one process that has imported what all of them need.

Snakemake starts Python anew for every job, which then imports for longer than a job takes
that has little to do. With the prefix that `beside` announces, it starts `ask` instead,
which has this server fork, hands over what the job was started with, and ends as the job
does. Where there is no server, `ask` becomes the Python that was asked for.

Linux only, as `child`.
"""

import importlib
import multiprocessing
import os
import runpy
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from dtst_flow import keep_silent
from dtst_flow.cli import ask

PREFIX = "DTST_JOBS"
"""Environment variable with what the rules put before the commands of jobs."""

BASH = "set -euo pipefail; "
"""What Snakemake itself puts there."""

MODULES = ("snakemake.script", "numpy", "PIL.Image", "dtst_flow.runtime.job")
"""What every job imports."""

FORK = multiprocessing.get_context("fork")


@contextmanager
def beside(address: Path, held: Sequence[int]) -> Iterator[None]:
    """Have a server beside this process, which has one thread; it ends with the block.

    Args:
        address: The socket to make; there is no server if its path is too long for one.
        held: File descriptors that hold a lock for this process, and not for its jobs.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(address))
    except OSError:
        listener.close()
        yield
        return
    listener.listen(socket.SOMAXCONN)
    above, end = os.pipe()  # that this process is gone shows as the pipe's end
    server = os.fork()
    if not server:
        try:
            for descriptor in (end, *held):
                os.close(descriptor)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the jobs' to end
            _serve(listener, above)
        finally:
            os._exit(0)
    os.close(above)
    listener.close()
    words = [sys.executable, "-IS", ask.__file__, str(address)]
    quoted = shlex.join(words).replace("{", "{{").replace("}", "}}")
    os.environ[PREFIX] = f"{BASH}exec {quoted} "
    try:
        yield
    finally:
        os.close(end)
        os.waitpid(server, 0)


def _serve(listener: socket.socket, above: int) -> None:
    """Fork for every job, and tell who asked how it ended, until `above` ends."""
    jobs: dict[int, tuple[ForkProcess, socket.socket]] = {}
    while above not in (ready := wait([listener, above, *jobs])):
        for sentinel in jobs.keys() & {*ready}:
            job, asker = jobs.pop(sentinel)
            job.join()
            with suppress(OSError), asker:
                asker.sendall(str(job.exitcode).encode())
        if listener in ready:
            asker, _ = listener.accept()
            ours = [listener, *(other for _, other in jobs.values())]
            try:
                job = _forked(asker, ours)
                jobs[job.sentinel] = job, asker
            except (OSError, EOFError):
                asker.close()  # nobody asks any more, or no process is to be had


def _forked(asker: socket.socket, ours: list[socket.socket]) -> ForkProcess:
    """Start a job. Raises as `_received`, and OSError if there can be no process more."""
    given, streams = _received(asker)
    for name in MODULES:
        importlib.import_module(name)
    job = FORK.Process(target=_become, args=(given, streams, asker, ours))
    try:
        job.start()
    finally:
        for stream in streams:
            os.close(stream)
    return job


def _received(asker: socket.socket) -> tuple[list[bytes], list[int]]:
    """Receive what `ask` sends. Raises EOFError or OSError if it is gone."""
    size, streams, *_ = socket.recv_fds(asker, ask.SIZE, len(ask.STREAMS))
    with asker.makefile("rb") as reader:
        given = reader.read(int.from_bytes(size))
    if not size or len(given) < int.from_bytes(size):
        raise EOFError("less came than was told")
    return given.split(b"\0"), streams


def _become(
    given: list[bytes],
    streams: list[int],
    asker: socket.socket,
    ours: list[socket.socket],
) -> None:
    """Run a job's script in this process, as Python would that is started for it."""
    for other in ours:
        other.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    script, folder, *variables = given
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(variable.partition(b"=")[::2] for variable in variables)
    keep_silent()  # as the package does that a job imports
    for number, stream in zip(ask.STREAMS, streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    threading.Thread(target=_end_with, args=(asker,), daemon=True).start()
    from dtst_flow.runtime import meter

    meter.begin()
    sys.argv = [os.fsdecode(script)]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _end_with(asker: socket.socket) -> None:
    """End this process, as a kill would, as soon as who asked for it is gone."""
    asker.recv(1)
    os._exit(1)
