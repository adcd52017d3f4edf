"""Jobs whose Snakemake was killed end themselves, and the next run waits for that."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from dtst_flow.utils import locks

SNAKEMAKE = "DTST_SNAKEMAKE"
"""Environment variable with the number of the process that started the jobs."""

INTERVAL = 0.3
"""Seconds between two checks."""


def announce() -> None:
    """Make this process, which reads the Snakefile, known to the jobs that it starts."""
    os.environ[SNAKEMAKE] = str(os.getpid())


def watch(lock: str | Path) -> None:
    """From now on end this job, as a kill would, soon after its Snakemake is gone.

    Does nothing in a process that no Snakemake started.

    Args:
        lock: The lock that all jobs share as long as they run.
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
    # The parent is Snakemake or a shell that it started. A process that has ended but
    # that nobody waited for keeps its number, but no children.
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
    """Wait until no job shares the lock any more.

    Args:
        lock: The lock that all jobs share as long as they run.
        seconds: How long to wait.

    Returns:
        Whether no job shares it.
    """
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
