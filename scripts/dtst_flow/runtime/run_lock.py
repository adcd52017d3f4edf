"""Who is at work in a dataset folder: one run of ``dtst`` at a time.

It holds a lock that ends with it, where Snakemake's own, a file, outlives a kill. A note
beside says who it is, for the user to read; it is withdrawn when the run ends by itself.
"""

import atexit
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dtst_flow.dataset.state import JOBS, STATE
from dtst_flow.runtime import watchdog
from dtst_flow.utils import locks
from dtst_flow.utils.files import read_json, to_json, write_atomic

LOCK = STATE / "run.lock"
NOTE = STATE / "run.json"
SNAKEMAKES = Path(".snakemake") / "locks"


@dataclass(frozen=True)
class RunInfo:
    """A run of the workflow.

    Attributes:
        host: The machine that it runs on, or did.
        pid: That of its Snakemake.
        since: When it began, in local time.
        command: What the user typed.
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
        run = RunInfo(**read_json(Path(dataset) / NOTE))
        datetime.fromisoformat(run.since)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return run


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


def clear_plainly(dataset: Path, tell: Callable[[str], None]) -> None:
    """Remove the lock of a run that was killed, for a Snakemake that no ``dtst`` started.

    Args:
        dataset: The dataset folder.
        tell: Called with a sentence about what was cleared.
    """
    run = current(dataset)
    if run is None or not run.is_here or not is_locked(dataset):
        return
    try:
        lock = acquire(dataset)
    except BlockingIOError:
        return
    if lock is None:
        return
    # Snakemake locks before its run is noted: a newer lock is of one that just begins.
    taken = [path.stat().st_mtime_ns for path in (dataset / SNAKEMAKES).iterdir()]
    if max(taken, default=0) <= (dataset / NOTE).stat().st_mtime_ns:
        _remove(dataset, run, tell)
    os.close(lock)


def is_locked(dataset: str | Path) -> bool:
    """Whether Snakemake's lock is there, of a run that is at work or was killed."""
    folder = Path(dataset) / SNAKEMAKES
    return folder.is_dir() and any(folder.iterdir())


def unlock(dataset: str | Path) -> None:
    """Remove Snakemake's lock; not its folder, in which a Snakemake may be about to lock."""
    for lock in (Path(dataset) / SNAKEMAKES).iterdir():
        lock.unlink(missing_ok=True)


class DatasetBusy(Exception):
    """A dataset folder cannot be had now; the message says why and what to do."""


@contextmanager
def held(
    dataset: Path, unlock_it: bool, tell: Callable[[str], None]
) -> Iterator[tuple[int, ...]]:
    """Hold a dataset folder for a run, and clear what a killed one left.

    Args:
        dataset: The dataset folder.
        unlock_it: Remove a lock as well of which nobody knows whether its run is at work.
        tell: Called with a sentence about what was cleared.

    Yields:
        The file descriptors that hold it, also in a process that they are passed to.

    Raises:
        DatasetBusy: A run is at work there, or may be.
    """
    try:
        lock = acquire(dataset)
    except BlockingIOError:
        run = current(dataset) or "another run, which has just begun"
        raise DatasetBusy(f"{dataset} is in use by {run}") from None
    try:
        if is_locked(dataset):
            _clear(dataset, unlock_it, lock is not None, tell)
        (dataset / NOTE).unlink(missing_ok=True)
        yield () if lock is None else (lock,)
    finally:
        if lock is not None:
            os.close(lock)


def _clear(
    dataset: Path, unlock_it: bool, certain: bool, tell: Callable[[str], None]
) -> None:
    """Remove Snakemake's lock, if its run is over.

    Args:
        dataset: The dataset folder.
        unlock_it: Remove it in any case.
        certain: Whether no run that could be seen from here is at work.
        tell: Called with what was done.
    """
    run = current(dataset)
    if not unlock_it and run is None:
        raise DatasetBusy(
            f"{dataset} is locked: another run is at work there, or one was killed. "
            "If none is, run this again with --unlock."
        )
    if not unlock_it and not (certain and run and run.is_here):
        raise DatasetBusy(
            f"{dataset} is locked by {run}; whether that is still at work cannot be "
            "told from here. If it is not, run this again with --unlock."
        )
    _remove(dataset, run, tell)


def _remove(dataset: Path, run: RunInfo | None, tell: Callable[[str], None]) -> None:
    """Remove Snakemake's lock, and wait for the jobs that its run left."""
    unlock(dataset)
    tell(f"removed the lock of {run or 'an unknown run'}")
    if not watchdog.wait(dataset / JOBS):
        tell("jobs of it are still at work; going on beside them")
