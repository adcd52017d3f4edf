"""What every job does around its work: log, tell how far it is, note what became of images."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import Any

from dtst_flow.dataset.state import JOBS, PROGRESS
from dtst_flow.models.errors import ModelError
from dtst_flow.runtime import verified_read, watchdog
from dtst_flow.runtime.meter import Meter
from dtst_flow.runtime.pool import Failed, Worker, each
from dtst_flow.utils.files import (
    DISK_ERRORS,
    read_json,
    read_table,
    to_json,
    write_atomic,
)
from dtst_flow.utils.text import printable_lines

log = logging.getLogger(__name__)


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send all output of this process, C libraries' too, to a job's log file.

    The process ends when the Snakemake that started it does. Of a model that cannot be
    used and of an error that is the disk's a sentence tells, not a traceback.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as log:
        sys.stdout.flush()
        terminal = os.dup(sys.stderr.fileno())
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable("%(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.INFO)
        watchdog.watch(JOBS)
        try:
            yield
        except (ModelError, SystemExit) as error:
            raise SystemExit(printable_lines(error)) from None
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            _tell_of_disk(error, terminal)
            raise SystemExit(1) from error


def _tell_of_disk(error: OSError, terminal: int) -> None:
    free = shutil.disk_usage(".").free / 1e6
    sentence = f"{error}; {free:.1f} MB are free in {os.getcwd()}"
    line = os.fsencode(f"{printable_lines(sentence)}\n")
    try:
        os.write(sys.stderr.fileno(), line)
    except OSError:
        os.write(terminal, line)  # as the log lies on the full disk


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
        # By an attempt in the same run that was cut off; a run begins without such files.
        before = read_json(self.path)["computed"] if self.path.exists() else 0
        self.counts = {"total": total, "done": 0, "computed": before, "failed": 0}
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


class Shard:
    """The images of one job, and what became of each of them.

    rule      names the job, with the shard
    manifest  the table of the shard's images
    at_once   images that are worked on at once, as the `Meter` has it

    rows  those of the manifest
    """

    def __init__(self, rule: str, manifest: str, at_once: int):
        self.name = Path(manifest).stem
        self._state = Path(manifest).parent.parent
        self.rows = list(read_table(manifest))
        self._progress = Progress(rule, self.name, len(self.rows), at_once)
        self._done: list[dict] = []
        self._failures: list[dict] = []
        self._changed: list[str] = []

    def note(self, path: str, answer: dict | Failed | verified_read.Changed) -> None:
        """Note what became of an image.

        answer  its row in the stage's table, and `computed`: whether that took work
        """
        if isinstance(answer, Failed):
            row = {"path": path, "reason": answer.reason, **answer.cause}
            self._failures.append(row)
            log.warning("%s: %s", path, answer.reason)
            self._progress.tick(failed=True)
        elif isinstance(answer, verified_read.Changed):
            self._changed.append(path)
        else:
            computed = answer["computed"]
            self._done.append({k: v for k, v in answer.items() if k != "computed"})
            self._progress.tick(computed)

    def end(self) -> tuple[list[dict], list[dict]]:
        """The rows of the stage's table and the failures {path, reason}, by path.

        Raises SystemExit when images changed meanwhile.
        """
        self._progress.tell()
        verified_read.refuse(self._changed, self._state)
        counts = self._progress.counts
        log.info(
            "%s: %d images, %d computed, %d failed",
            self.name,
            counts["total"],
            counts["computed"],
            counts["failed"],
        )
        by_path = itemgetter("path")
        return sorted(self._done, key=by_path), sorted(self._failures, key=by_path)


def work(
    rule: str,
    manifest: str,
    make: Callable[[], Worker[dict[str, Any], dict[str, Any]]],
    workers: int,
) -> tuple[list[dict], list[dict]]:
    """Have a worker look at every image of a shard; what `Shard.end` returns.

    make  builds the worker, which takes a row of the manifest and gives a row of the
          stage's table, and `computed`
    """
    shard = Shard(rule, manifest, workers)
    for row, answer in each(make, shard.rows, workers):
        shard.note(row["path"], answer)
    return shard.end()
