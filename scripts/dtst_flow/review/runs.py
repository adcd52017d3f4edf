"""Clustering anew from the review, and runs of others seen from it."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from time import monotonic, time_ns
from typing import Any

import yaml

from dtst_flow.dataset.state import PROGRESS
from dtst_flow.review.actions import CannotBeDone
from dtst_flow.runtime import run_lock
from dtst_flow.runtime.progress import counts_of
from dtst_flow.utils.files import write_atomic
from dtst_flow.utils.text import printable

TAIL = 12
"""Last lines of what a run printed that are shown."""

PATIENCE = 60.0
"""Seconds that a run is given to end when the server does."""

HERE = Path(".")


class Runs:
    """The runs of one server, one at a time; works in the dataset's folder.

    Args:
        command: The words that start dtst.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._lock = RLock()
        self._temporary: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._began_ns = 0
        self._ended: dict[str, Any] = {}
        self._elsewhere: str | None = None

    def start(self, config: Mapping[str, Any]) -> None:
        """Cluster by a config. Raises CannotBeDone where a run is at work."""
        with self._lock:
            self.look()
            if self._process is not None or self._elsewhere:
                who = self._elsewhere or "this review"
                raise CannotBeDone(f"a run is at work in this dataset already: {who}")
            folder = self._folder()
            path = folder / "config.yaml"
            text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
            write_atomic(path, text.encode("utf-8", "surrogateescape"))
            words = [*self._command, "cluster", str(path), "-d", ".", "--yes", "--json"]
            with (
                open(folder / "stdout", "wb") as out,
                open(folder / "stderr", "wb") as err,
            ):
                self._began, self._began_ns = monotonic(), time_ns()
                self._ended = {}
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    process_group=0,  # Ctrl-C reaches only us
                )

    def look(self) -> bool:
        """Look how the run is, and whether another is at work; tells if one ended."""
        with self._lock:
            self._elsewhere = None if self._process else _other_run()
            if self._process is None or self._process.poll() is None:
                return False
            self._ended = self._outcome(self._process.returncode)
            self._process = None
            return True

    def value(self) -> dict[str, Any]:
        """How the run is, or the last one was."""
        with self._lock:
            if self._elsewhere:
                stage = f"another run: {self._elsewhere}"
                return _run("running", stage, here=False)
            if self._process is None:
                return self._ended or _run("none")
            stage, done, total = self._progress()
            seconds = round(monotonic() - self._began, 1)
            return _run("running", stage, done, total, seconds)

    def close(self) -> None:
        """End a run that is at work, in order."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                try:
                    self._process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            if self._temporary:
                self._temporary.cleanup()

    def _folder(self) -> Path:
        """The folder with what a run is given, and what it prints."""
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="dtst-review-")
        return Path(self._temporary.name)

    def _progress(self) -> tuple[str, int, int]:
        """Stage, images done, images in all; of this run, which begins without notes."""
        notes = [path.stat().st_mtime_ns for path in PROGRESS.glob("*.json")]
        if not notes or min(notes) < self._began_ns:
            return "starting", 0, 0
        counts = counts_of(PROGRESS)
        at_work = [rule for rule, c in counts.items() if c["done"] < c["total"]]
        rule = at_work[0] if at_work else next(reversed(counts), "")
        return rule, counts[rule]["done"], counts[rule]["total"]

    def _outcome(self, code: int) -> dict[str, Any]:
        """How a run ended, in its own words."""
        folder = self._folder()
        printed = (folder / "stderr").read_bytes().decode("utf-8", "replace")
        try:
            told = json.loads((folder / "stdout").read_bytes())
            errors, stages = told["errors"], told.get("stages", [])
            said = [*errors, *(s for stage in stages for s in stage["said"])]
        except (LookupError, TypeError, ValueError):
            said = [f"the run ended with {code}"]
        state = "failed" if code else "done"
        seconds = round(monotonic() - self._began, 1)
        return _run(state, "", 0, 0, seconds) | {
            "said": [printable(line) for text in said for line in text.splitlines()],
            "tail": list(map(printable, printed.splitlines()[-TAIL:])),
        }


def _run(
    state: str,
    stage: str = "",
    done: int = 0,
    total: int = 0,
    seconds: float = 0.0,
    *,
    here: bool = True,
) -> dict[str, Any]:
    return {
        "state": state,
        "stage": stage,
        "done": done,
        "total": total,
        "seconds": seconds,
        "here": here,
        "said": [],
        "tail": [],
    }


def _other_run() -> str | None:
    """Who else is at work in the dataset, in words."""
    run = run_lock.current(HERE)
    if run is None or not run_lock.is_locked(HERE):
        return None
    import psutil  # nobody waits for it before there is a run

    if run.is_here and not psutil.pid_exists(run.pid):
        return None  # it was killed
    return None if run.pid == os.getpid() else printable(run)
