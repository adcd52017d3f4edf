"""What every job does around its work: log, tell how far it is, share out images."""

import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.util import Finalize
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from dtst_flow.files import to_json, write_atomic
from dtst_flow.models import ModelError
from dtst_flow.stages.meter import Meter
from dtst_flow.text import printable_lines

STATE = Path(".dtst")
"""Where the workflow keeps what it knows, below the dataset folder."""

PROGRESS = STATE / "progress"
"""One small file a job: how many of its images are done."""


def state_of(bucket: str) -> Path:
    """The folder with the state of one target bucket."""
    return STATE / "buckets" / bucket


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send all output of this process, C libraries' too, to a job's log file.

    A model that cannot be used ends the job with a sentence there, too.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as log:
        sys.stdout.flush()
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable("%(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.INFO)
        try:
            yield
        except (ModelError, SystemExit) as error:
            raise SystemExit(printable_lines(error)) from None


class _Printable(logging.Formatter):
    """Spells out what names may hold that would steer the terminal a log is shown on."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


class Progress:
    """How far one job is, kept in a file for whoever watches.

    rule, part  name the job
    total       its number of images
    at_once     images that are worked on at once, as the `Meter` has it
    """

    def __init__(self, rule: str, part: str, total: int, at_once: int = 1):
        self.path = PROGRESS / f"{rule}.{part}.json"
        self.meter = Meter(at_once)
        self.counts = {"total": total, "done": 0, "computed": 0, "failed": 0}
        self._told = 0.0
        self.tell()

    def tick(self, computed: bool = False, failed: bool = False) -> None:
        """Count one image as done."""
        self.counts["done"] += 1
        self.counts["computed"] += computed
        self.counts["failed"] += failed
        self.meter.tick(computed)
        if monotonic() - self._told > 0.5:
            self.tell()

    def tell(self) -> None:
        """Write the file, and beside it what the job has cost."""
        self._told = monotonic()
        write_atomic(self.path, to_json(self.counts))
        self.meter.note(self.path)


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
    _worker = make()
    Finalize(_worker, _worker.close, exitpriority=10)


def _work(row: dict) -> Any:
    return _worker(row)
