"""What every job does around its work: log, tell how far it is, share out images."""

import errno
import logging
import multiprocessing
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.util import Finalize
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from dtst_flow.files import to_json, write_atomic
from dtst_flow.stages import orphans

STATE = Path(".dtst")
"""Where the workflow keeps what it knows, below the dataset folder."""

PROGRESS = STATE / "progress"
"""One small file a job: how many of its images are done."""

JOBS = STATE / "jobs.lock"
"""The lock that all jobs at work share."""

OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""Errors that are nobody's fault but the disk's or its owner's; a sentence tells all."""


def state_of(bucket: str) -> Path:
    """The folder with the state of one target bucket."""
    return STATE / "buckets" / bucket


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send all output of this process, C libraries' too, to a job's log file.

    The process ends when the Snakemake that started it does. Of an error that is the
    disk's a sentence tells, not a traceback.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as log:
        sys.stdout.flush()
        terminal = os.dup(sys.stderr.fileno())
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
        orphans.watch(JOBS)
        try:
            yield
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            free = shutil.disk_usage(".").free / 1e6
            sentence = os.fsencode(
                f"{error}; {free:.1f} MB are free in {os.getcwd()}\n"
            )
            try:
                os.write(sys.stderr.fileno(), sentence)
            except OSError:
                os.write(terminal, sentence)  # as the log lies on the full disk
            raise SystemExit(1) from error


class Progress:
    """How far one job is, kept in a file for whoever watches.

    rule, part  name the job
    total       its number of images
    """

    def __init__(self, rule: str, part: str, total: int):
        self.path = PROGRESS / f"{rule}.{part}.json"
        self.counts = {"total": total, "done": 0, "computed": 0, "failed": 0}
        self._told = 0.0
        self.tell()

    def tick(self, computed: bool = False, failed: bool = False) -> None:
        """Count one image as done."""
        self.counts["done"] += 1
        self.counts["computed"] += computed
        self.counts["failed"] += failed
        if monotonic() - self._told > 0.5:
            self.tell()

    def tell(self) -> None:
        """Write the file."""
        self._told = monotonic()
        write_atomic(self.path, to_json(self.counts))


class Worker(Protocol):
    """Does the work on one image; holds the models it needs."""

    def __call__(self, row: dict) -> Any: ...

    def close(self) -> None: ...


def each(make: Callable[[], Worker], rows: Sequence[dict], workers: int) -> Iterator:
    """Yield a worker's answer for every row, in order.

    make     builds a worker; called once in each process, must be picklable
    workers  processes to use; 1 works in this one
    """
    if workers == 1:
        worker = make()
        try:
            yield from map(worker, rows)
        finally:
            worker.close()
        return
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(make,),
    ) as pool:
        yield from pool.map(_work, rows)


_worker: Worker | None = None


def _start(make: Callable[[], Worker]) -> None:
    global _worker
    threading.Thread(target=_end_with_job, daemon=True).start()
    _worker = make()
    Finalize(_worker, _worker.close, exitpriority=10)


def _end_with_job() -> None:
    """A job that is killed takes its workers along."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(row: dict) -> Any:
    return _worker(row)
