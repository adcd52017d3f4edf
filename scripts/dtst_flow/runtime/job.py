"""What every job does around its work: log, and note what became of each image."""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.manifest import ManifestRow, read_manifest
from dtst_flow.dataset.state import JOBS, STATE
from dtst_flow.models.errors import ModelError
from dtst_flow.runtime import verified_read, watchdog
from dtst_flow.runtime.pool import each
from dtst_flow.runtime.progress import Progress
from dtst_flow.runtime.worker import Failed, Worker
from dtst_flow.utils import gpu
from dtst_flow.utils.files import DISK_ERRORS, make_way
from dtst_flow.utils.folders import why_not_writable
from dtst_flow.utils.pace import Patience
from dtst_flow.utils.tables import BrokenTable
from dtst_flow.utils.text import printable_lines

log = logging.getLogger(__name__)

IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST})
"""Errors that tell of a folder in place of a file, or the other way round."""


@contextmanager
def running(snakemake: Any) -> Iterator[None]:
    """Run a rule's script: keep its log, and hold it to the GPU that it was given.

    Args:
        snakemake: The object that Snakemake gives the script.
    """
    with logged(snakemake.log[0]):
        gpu.hold(snakemake.resources.get("gpu", 0))
        yield


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send all output of this process, C libraries' too, to a job's log file.

    The process ends when the Snakemake that started it does. Of a model or a source that
    cannot be used and of an error that is the disk's a sentence tells, not a traceback.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    make_way(path)
    with open(path, "w") as log:
        sys.stdout.flush()
        terminal = os.dup(sys.stderr.fileno())
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable("%(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.INFO)
        try:
            watchdog.watch(JOBS)
            yield
        except (ModelError, BadBucket, BrokenTable, SystemExit) as error:
            raise SystemExit(printable_lines(error)) from None
        except OSError as error:
            if error.errno in IN_THE_WAY and _is_in_state(error):
                where = error.filename2 or error.filename
                raise SystemExit(f"{where}: {error.strerror}; move it away") from None
            if error.errno not in DISK_ERRORS:
                raise
            _tell_of_disk(error, terminal)
            raise SystemExit(1) from error


def _is_in_state(error: OSError) -> bool:
    """Whether an error is about something that has a name in the state."""
    return str(error.filename).startswith(f"{STATE}/")


def _tell_of_disk(error: OSError, terminal: int) -> None:
    sentence = _sentence_of(error)
    line = os.fsencode(f"{printable_lines(sentence)}\n")
    try:
        os.write(sys.stderr.fileno(), line)
    except OSError:
        os.write(terminal, line)  # as the log lies on the full disk


def _sentence_of(error: OSError) -> str:
    if error.filename and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        folder = Path(error.filename).parent  # temporary names in it say nothing
        if folder.is_dir() and (why := why_not_writable(folder)):
            return f"{folder.absolute()} cannot be written to: {why}"
    free = shutil.disk_usage(".").free / 1e6
    return f"{error}; {free:.1f} MB are free in {os.getcwd()}"


class _Printable(logging.Formatter):
    """Spells out what names may hold that would steer the terminal a log is shown on."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


class Shard:
    """The images of one job, and what became of each of them.

    Attributes:
        name: The shard's.
        rows: The images, as the manifest lists them.
    """

    def __init__(self, rule: str, manifest: str, at_once: int):
        """Read the images.

        Args:
            rule: Names the job, with the shard.
            manifest: The table of the shard's images.
            at_once: Images that are worked on at once, as the `Meter` has it.
        """
        self.name = Path(manifest).stem
        self._state = Path(manifest).parent.parent
        self.rows: list[ManifestRow] = read_manifest(manifest)
        self._progress = Progress(rule, self.name, len(self.rows), at_once)
        self._done: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._changed: list[str] = []

    def patience(self, seconds: float) -> Patience:
        """Return how long a small image may take, and who names those that take long."""
        return Patience(seconds, self._progress.slow)

    def note(
        self, path: str, answer: dict[str, Any] | Failed | verified_read.Changed
    ) -> None:
        """Note what became of an image.

        Args:
            path: The image's.
            answer: Its row in the stage's table, and `computed`: whether that took work.
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

    def end(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows of the stage's table and the failures {path, reason}, by path.

        Raises:
            SystemExit: Images changed in the meantime, or nobody worked on some.
        """
        self._progress.tell()
        verified_read.refuse(self._changed, self._state)
        told = len(self._done) + len(self._failures)
        if told != len(self.rows):
            raise SystemExit(
                f"{self.name}: only {told} of {len(self.rows)} images were worked on"
            )
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
    make: Callable[[], Worker[ManifestRow, dict[str, Any]]],
    workers: int,
    seconds: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Have a worker look at every image of a shard; what `Shard.end` returns.

    Args:
        rule: Names the job, with the shard.
        manifest: The table of the shard's images.
        make: Builds the worker, which takes a row of the manifest and gives a row of the
            stage's table, and `computed`.
        workers: Processes that work on the images.
        seconds: How long a small image may take, as `Patience` has it.
    """
    shard = Shard(rule, manifest, workers)
    patience = shard.patience(seconds)
    for row, answer in each(make, shard.rows, workers, patience=patience):
        shard.note(row.path, answer)
    return shard.end()
