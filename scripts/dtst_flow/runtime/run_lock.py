"""Who is at work in a dataset folder: one run of ``dtst`` at a time.

It holds a lock that ends with it, where Snakemake's own, a file, outlives a kill. A note
beside says who it is, for the user to read; it is withdrawn when the run ends by itself.
"""

import atexit
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dtst_flow.dataset.state import STATE
from dtst_flow.utils import locks
from dtst_flow.utils.files import read_json, to_json, write_atomic

LOCK = STATE / "run.lock"
NOTE = STATE / "run.json"
SNAKEMAKES = Path(".snakemake") / "locks"


@dataclass(frozen=True)
class RunInfo:
    """A run of the workflow.

    host     the machine that it runs on, or did
    pid      of its Snakemake
    since    when it began, in local time
    command  what the user typed
    """

    host: str
    pid: int
    since: str
    command: str

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, or did."""
        return self.host == platform.node()

    def __str__(self) -> str:
        since = datetime.fromisoformat(self.since)
        today = since.date() == datetime.now().date()
        return (
            f"process {self.pid} on {'this machine' if self.is_here else self.host}, "
            f"since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}} ({self.command})"
        )


def acquire(dataset: str | Path) -> int | None:
    """Take hold of a dataset folder, as `locks.take` does, or raise BlockingIOError."""
    return locks.take(Path(dataset) / LOCK)


def begin(dataset: str | Path, program: str, pid: int) -> None:
    """Note the run whose Snakemake is process `pid` and which `program` began."""
    command = shlex.join([program, *sys.argv[1:]])
    since = datetime.now().isoformat(timespec="seconds")
    run = RunInfo(platform.node(), pid, since, command)
    write_atomic(Path(dataset) / NOTE, to_json(asdict(run), indent=2) + b"\n")


def current(dataset: str | Path) -> RunInfo | None:
    """The run that is at work, or was killed; None where none is known."""
    try:
        return RunInfo(**read_json(Path(dataset) / NOTE))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def end(dataset: str | Path, pid: int) -> None:
    """Withdraw the note of the run whose Snakemake is process `pid`."""
    run = current(dataset)
    if run and run.pid == pid:
        (Path(dataset) / NOTE).unlink(missing_ok=True)


def begin_plainly(dataset: str | Path) -> None:
    """`acquire` and `begin` for a Snakemake that no ``dtst`` started, else nothing."""
    try:
        acquire(dataset)
    except BlockingIOError:
        return  # held by the dtst that started this, or by a run that is not in its way
    begin(dataset, "snakemake", os.getpid())
    # When Snakemake has removed its lock: a kill in between would leave one of nobody's.
    atexit.register(end, dataset, os.getpid())


def is_locked(dataset: str | Path) -> bool:
    """Whether Snakemake's lock is there, of a run that is at work or was killed."""
    folder = Path(dataset) / SNAKEMAKES
    return folder.is_dir() and any(folder.iterdir())


def unlock(dataset: str | Path) -> None:
    """Remove Snakemake's lock."""
    shutil.rmtree(Path(dataset) / SNAKEMAKES, ignore_errors=True)
