"""The process that Snakemake runs in: on Linux a fork of this one.

A fork has all imported that this process has, a sixth of what a run costs that has nothing
to do. On macOS its system libraries would be harmed by one, so that Python starts anew.
"""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Protocol, TextIO

from dtst_flow.cli import forkserver, signals

FORKS = sys.platform == "linux"

NOTEBOOKS = "nbformat"
"""What Snakemake imports for every script and uses for notebooks only, of which we have
none: a twelfth of what a run of two photos costs."""


@dataclass(frozen=True)
class Setting:
    """What a process starts with.

    Attributes:
        folder: Where it works.
        variables: Its environment.
        files: File descriptors that it gets from us.
        output: What takes all that it prints, and it reads nothing; None for our own
            streams.
        jobs: The socket at which a fork may have its jobs forked, too.
    """

    folder: Path
    variables: Mapping[str, str]
    files: tuple[int, ...]
    output: BinaryIO | None
    jobs: Path


class Child(Protocol):
    """A process that leads a group of its own, so that Ctrl-C reaches only us, and it once."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit code, the negative of a signal's number; None while it runs."""

    def wait(self) -> int:
        """Wait for its exit code."""


def start(words: Sequence[str], setting: Setting) -> Child:
    """Start Snakemake.

    Signals that end us are held back meanwhile: whoever takes one afterwards can pass it on.

    Args:
        words: Its arguments.
        setting: What it starts with.
    """
    if FORKS:
        return _Fork(words, setting)
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=setting.folder,
        env=setting.variables,
        pass_fds=setting.files,
        process_group=0,
        stdin=subprocess.DEVNULL if setting.output else None,
        stdout=setting.output,
        stderr=setting.output,
    )


class _Fork:
    """A `Child` that is a fork."""

    def __init__(self, words: Sequence[str], setting: Setting):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signals.ENDING)
        try:
            self._process = multiprocessing.get_context("fork").Process(
                target=_become, args=(words, setting, before)
            )
            self._process.start()
            self.pid = self._process.pid or 0
            with suppress(OSError):  # it is at an end, or was faster
                os.setpgid(self.pid, 0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def _become(words: Sequence[str], setting: Setting, mask: set[signal.Signals]) -> None:
    """Run Snakemake in this process."""
    os.setpgid(0, 0)
    for number in signals.ENDING:
        if not signals.is_ignored(number):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]  # what is in the folder is data, no modules
    os.chdir(setting.folder)
    os.environ.clear()
    os.environ.update(setting.variables)
    if setting.output:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(setting.output.fileno(), stream)
    sys.stdout, sys.stderr = _writer(1), _writer(2)
    sys.argv = ["snakemake", *words]
    main(setting)


def _writer(stream: int) -> TextIO:
    """Write lines into a file descriptor, whatever is in them."""
    return open(stream, "w", 1, "utf-8", "backslashreplace", closefd=False)


def main(setting: Setting) -> None:
    """What a fork runs."""
    _load_when_used(NOTEBOOKS)
    from snakemake.cli import main

    with forkserver.beside(setting.jobs, setting.files):
        main()


def _load_when_used(name: str) -> None:
    """Have a module loaded by the first that takes something from it."""
    stand_in = ModuleType(name)

    def load(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    vars(stand_in)["__getattr__"] = load
    sys.modules.setdefault(name, stand_in)
