"""Jobs whose Snakemake was killed: they end themselves, and the next run waits for that."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from dtst_flow.utils import locks

SNAKEMAKE = "DTST_SNAKEMAKE"
"""Environment variable that tells jobs the process that started them."""

INTERVAL = 0.3
"""Seconds between two looks."""


def announce() -> None:
    """Make this process, which reads the Snakefile, known to the jobs that it starts."""
    os.environ[SNAKEMAKE] = str(os.getpid())


def watch(lock: str | Path) -> None:
    """From now on end this job, as by a kill, soon after its Snakemake is gone.

    lock  shared by all jobs as long as they live

    Does nothing in a process that no Snakemake started.
    """
    if SNAKEMAKE not in os.environ:
        return
    threading.Thread(
        target=_end_with,
        args=(int(os.environ[SNAKEMAKE]), os.getppid()),
        daemon=True,
    ).start()
    # A run that waits for the jobs before it has the lock for itself for a moment.
    with suppress(BlockingIOError):
        locks.take(lock, shared=True)


def _end_with(snakemake: int, parent: int) -> None:
    # The parent is Snakemake or a shell of its own. One that nobody takes notice of after
    # its end keeps its number, but no children.
    while _is_there(snakemake) and os.getppid() == parent:
        sleep(INTERVAL)
    print(
        "the Snakemake that started this job is gone, and so the job ends", flush=True
    )
    os._exit(1)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def wait(lock: str | Path, seconds: float = 10) -> bool:
    """Wait until no job is left that shares the lock; returns whether that came true."""
    deadline = monotonic() + seconds
    while True:
        try:
            held = locks.take(lock)
        except BlockingIOError:
            if monotonic() > deadline:
                return False
            sleep(INTERVAL / 3)
            continue
        if held is not None:
            os.close(held)
        return True
