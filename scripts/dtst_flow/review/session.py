"""One review at work: what is shown, and what keeps it true while files change."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, RLock, Timer
from typing import Any

from dtst_flow.cluster import label_file
from dtst_flow.cluster.label_file import Cells, LabelsRefused
from dtst_flow.cluster.labels import read_bound
from dtst_flow.dataset.state import state_of
from dtst_flow.report import NoResult
from dtst_flow.review import clustering, facts
from dtst_flow.review.actions import CannotBeDone, Edit
from dtst_flow.review.asked import edit_of, pair_of
from dtst_flow.review.changes import changes
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.decisions import Decisions
from dtst_flow.review.facts import Facts
from dtst_flow.review.journal import Journal
from dtst_flow.review.last_settings import config_of
from dtst_flow.review.questions import Pairs, Question, ask, candidates
from dtst_flow.review.rows import Rows
from dtst_flow.review.runs import Runs
from dtst_flow.stages.user_labels import BOUND

PATIENCE = 30.0
"""Seconds that a request waits for what is being read."""

SHOWN = 20
"""Most lines of an edit that are shown."""

MANY = 10_000
"""Images of which it is felt that something is computed in the background."""

REST = 1.5
"""Seconds for the first view of so many."""

Stamp = tuple[int, ...] | None
"""What a file is known by: the same stamp, the same content; None where there is none."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass
class View:
    """A clustering, and what is known of it as soon as it is computed.

    Attributes:
        bucket: The bucket of the clusters.
        clustering: What clusters.json says.
        rows: What embed knows of its images; None until it is read.
        facts: What the vectors tell; None until it is computed.
        pairs: What may be asked about; None until it is computed.
        fault: Why there will be none of them, if so.
    """

    bucket: str
    clustering: Clustering
    rows: Rows | None = None
    facts: Facts | None = None
    pairs: Pairs | None = None
    fault: str = ""
    _read: Event = field(default_factory=Event)

    def begin(self) -> None:
        """Read and compute in the background; of many images, after the first view."""
        wait = REST if len(self.clustering.paths) > MANY else 0.0
        timer = Timer(wait, self._learn)
        timer.daemon = True
        timer.start()

    def _learn(self) -> None:
        try:
            self.rows = Rows(self.bucket, self.clustering)
            self._read.set()
            known = facts.compute(self.clustering, self.rows)
            self.pairs = candidates(known, self.rows)
            self.facts = known
        except NoResult as error:
            self.fault = str(error)
        except ValueError as error:  # files that changed under our hands
            self.fault = f"the vectors cannot be used: {error}"
        finally:
            self._read.set()

    def known_rows(self) -> Rows | None:
        """The rows; waits until they are read. None where they cannot be."""
        self._read.wait(PATIENCE)
        return self.rows

    def digest_of(self, n: int) -> str | None:
        """The digest of an image's content, if it is known."""
        known = self.clustering.digests[n]
        if known is None and (rows := self.known_rows()):
            known = rows.digests[n]
        return known


class Session:
    """What the pages of one server show; works in the dataset's folder.

    Args:
        bucket: The bucket of the clusters.
        command: The words that start dtst.

    Attributes:
        view: The clustering that is shown.
        decisions: What labels.csv decides about it.
        faults: Why lines of labels.csv have no effect.
        edits: Grows whenever labels.csv changes.
        journal: What was done, to be undone.
        runs: The runs that it starts.
        changes: What the last run changed, if one did since the start.
        skipped: Pairs of images that the user would not tell about.

    Raises:
        NoResult: There is no clustering to review.
    """

    def __init__(self, bucket: str, command: list[str]) -> None:
        self.bucket = bucket
        self.runs = Runs(command)
        self.changes: dict[str, Any] | None = None
        self.skipped: set[tuple[int, int]] = set()
        self.lock = RLock()
        self.labels_path = Path(bucket) / label_file.FILE
        self._clusters_path = Path(bucket) / clustering.FILE
        self._clusters_stamp = stamp_of(self._clusters_path)
        self.view = View(bucket, clustering.read(bucket))
        self.view.begin()
        self._bound_path = state_of(bucket) / BOUND
        self._bound_stamp = stamp_of(self._bound_path)
        self._bound = set(read_bound(self._bound_path))
        self.journal = Journal(state_of(bucket) / "review.jsonl")
        self.edits = 0
        self._read_labels()

    def _read_labels(self) -> None:
        self._labels_stamp = stamp_of(self.labels_path)
        labels, faults = label_file.read(self.labels_path)
        self._written = {label.cells for label in labels}
        self.decisions = Decisions(self.view.clustering, labels)
        self.faults: Sequence[str] = faults

    def look(self) -> None:
        """Read again what changed on the disk since the last look."""
        self.runs.look()
        with self.lock:
            if (stamp := stamp_of(self._clusters_path)) != self._clusters_stamp:
                self._clusters_stamp = stamp
                self._read_clusters()
            if stamp_of(self.labels_path) != self._labels_stamp:
                self._read_labels()
                self.edits += 1
            if (stamp := stamp_of(self._bound_path)) != self._bound_stamp:
                self._bound_stamp = stamp
                self._bound = set(read_bound(self._bound_path))

    def _read_clusters(self) -> None:
        try:
            new = clustering.read(self.bucket)
        except NoResult:
            return  # a run is about to write it; what was there is shown until then
        if new.digest != self.view.clustering.digest:
            self.changes = changes(self.view.clustering, new)
            self.skipped.clear()
            self.view = View(self.bucket, new)
            self.view.begin()
            self._read_labels()

    def snapshot(self) -> tuple[View, Decisions]:
        """The clustering and the decisions about it, which belong together."""
        with self.lock:
            return self.view, self.decisions

    def act(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the page asks for, in labels.csv.

        Raises:
            CannotBeDone: It cannot be done.
            LabelsRefused: labels.csv cannot be written to.
            ValueError: It is not as the page asks.
        """
        with self.lock:
            self.look()
            if asked.get("clustering") != self.view.clustering.digest:
                raise CannotBeDone("the clustering is another one now; reload the page")
            if asked.get("action") == "answer" and asked.get("answer") == "skip":
                self.skipped.add(pair_of(self.decisions, asked))
                return self._outcome(Edit(), "skipped")
            edit = edit_of(self.decisions, asked)
            if not edit.add and not edit.remove:
                return self._outcome(edit, "labels.csv says so already")
            self.journal.note(edit)
            return self._write(edit, self.journal.undo)

    def apply(self) -> dict[str, Any]:
        """Cluster anew, as the last time. Raises CannotBeDone where a run is at work."""
        self.runs.start(config_of(self.bucket, self.view.clustering))
        return self.runs.value()

    def questions(self, view: View, decisions: Decisions, limit: int) -> list[Question]:
        """What is best asked next; nothing before the facts are known."""
        if view.facts is None or view.pairs is None:
            return []
        return ask(view.pairs, view.facts, decisions, self.skipped, limit)

    def undo(self, again: bool) -> dict[str, Any]:
        """Undo the last edit, or do again what was undone. Raises as `act`."""
        with self.lock:
            self.look()
            if not (self.journal.redos if again else self.journal.undos):
                raise CannotBeDone(f"there is nothing to {'redo' if again else 'undo'}")
            if again:
                return self._write(self.journal.redo(), self.journal.undo)
            return self._write(self.journal.undo(), self.journal.redo)

    def _write(self, edit: Edit, take_back: Callable[[], Edit]) -> dict[str, Any]:
        """Edit labels.csv; of lines that a hand changed meanwhile, say how many.

        Args:
            edit: The edit, which the journal has noted.
            take_back: What the journal is told if it cannot be done.
        """
        gone = [cells for cells in edit.remove if cells not in self._written]
        there = [cells for cells in edit.add if cells in self._written]
        try:
            label_file.edit(self.labels_path, edit.add, set(edit.remove))
        except LabelsRefused:
            take_back()
            raise
        self._read_labels()
        self.edits += 1
        added, removed = len(edit.add) - len(there), len(edit.remove) - len(gone)
        said = f"labels.csv: {_lines(added)} added, {removed} taken out"
        if changed := len(gone) + len(there):
            said += f"; {_lines(changed)} had been changed there meanwhile"
        return self._outcome(edit, said)

    def _outcome(self, edit: Edit, said: str) -> dict[str, Any]:
        lines: list[Cells] = edit.add or edit.remove
        return {
            "edits": self.edits,
            "undo": self.journal.undos,
            "redo": self.journal.redos,
            "said": said,
            "lines": lines[:SHOWN],
        }

    def close(self) -> None:
        """End what is at work."""
        self.runs.close()

    def pending(self) -> int:
        """How many lines of labels.csv changed since the last run read it."""
        now = {line.cells for line in self.decisions.lines}
        return len(now - self._bound) + len(self._bound - self._written)

    def told(self) -> dict[str, Any]:
        """What pages are told of when it changes."""
        view = self.view
        run = self.runs.value()
        return {
            "run": {
                key: run[key] for key in ("state", "stage", "done", "total", "here")
            },
            "edits": self.edits,
            "clustering": view.clustering.digest,
            "facts": view.facts is not None,
        }


def _lines(count: int) -> str:
    return f"{count} line" if count == 1 else f"{count} lines"
