"""Measuring what a job costs: the time its images take, and the most memory it held.

Each job keeps a note beside its progress file, from which later runs are forecast.
"""

import os
import platform
import re
import resource
import sys
from pathlib import Path
from time import monotonic, time
from typing import Any

from dtst_flow.utils.files import read_json, to_json, write_atomic

SUFFIX = ".cost"
"""The suffix of notes' file names."""

_began = time()

Note = dict[str, Any]
"""What `Meter.note` writes, and how many of the job's images `failed`."""


def process_seconds() -> float:
    """Return for how long this process has run."""
    import psutil  # which jobs need not have

    return time() - psutil.Process().create_time()


def begin() -> None:
    """Count from now what this process costs, a fork, and not from when this was loaded."""
    global _began
    _began = time()


class Meter:
    """The clock of one job.

    Attributes:
        at_once: Images that are processed at once, in a batch or by workers: the first so
            many that are computed also wait for their models and are not timed.
        computed: Images that were computed.
        timed: Those of them that were timed.
        seconds: The time that these took together.
    """

    def __init__(self, at_once: int = 1):
        self.at_once = at_once
        self.computed = 0
        self.timed = 0
        self.seconds = 0.0
        self._last = monotonic()

    def tick(self, computed: bool) -> None:
        """Count one image as done."""
        now = monotonic()
        if computed and self.computed >= self.at_once:
            self.timed += 1
            self.seconds += now - self._last
        self.computed += computed
        self._last = now

    def note(self, path: Path) -> None:
        """Write down what the job has cost so far, times in seconds and memory in bytes.

        `seconds` is the time that the `timed` images took together, `memory` the most
        that this process held. `worker` is the most that any of its workers held that
        have ended; a kernel may add what this process held when it began that worker.

        Args:
            path: The progress file that the note is kept beside.
        """
        content = {
            "host": platform.node(),
            "began": _began,
            "ended": time(),
            "computed": self.computed,
            "timed": self.timed,
            "seconds": self.seconds,
            "memory": _peak(),
            "worker": _in_bytes(resource.getrusage(resource.RUSAGE_CHILDREN)),
        }
        write_atomic(path.with_suffix(SUFFIX), to_json(content))


def notes_of(folder: Path) -> dict[str, list[Note]]:
    """Read what the jobs of each rule noted in the folder of their progress."""
    notes: dict[str, list[Note]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        failed = read_json(path.with_suffix(".json"))["failed"]
        note = read_json(path) | {"failed": failed}
        notes.setdefault(path.name.partition(".")[0], []).append(note)
    return notes


def _peak() -> int:
    """The most memory this process held, in bytes."""
    if not sys.platform.startswith("linux"):
        return _in_bytes(resource.getrusage(resource.RUSAGE_SELF))
    # On Linux getrusage also counts what the process held before it ran this program.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak[1]) * 1024 if peak else 0


def _in_bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
