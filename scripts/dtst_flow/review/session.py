"""One review at work: what is shown, and what keeps it true while files change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from dtst_flow.cluster import label_file
from dtst_flow.cluster.label_file import Cells, LabelsRefused
from dtst_flow.cluster.labels import BOUND
from dtst_flow.dataset.state import state_of
from dtst_flow.report import NoResult
from dtst_flow.review import clustering
from dtst_flow.review.actions import CannotBeDone, Edit
from dtst_flow.review.asked import edit_of, pair_of
from dtst_flow.review.bound import Bound
from dtst_flow.review.changes import changes
from dtst_flow.review.decisions import Decisions
from dtst_flow.review.journal import Journal
from dtst_flow.review.questions import Question, ask
from dtst_flow.review.runs import Runs
from dtst_flow.review.stamp import stamp_of
from dtst_flow.review.view import View

SHOWN = 20
"""Most lines of an edit that are shown."""


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
        ending: Whether the server is about to end.
        at_end: What else is to be ended then.

    Raises:
        NoResult: There is no clustering to review.
    """

    def __init__(self, bucket: str, command: list[str]) -> None:
        self.bucket = bucket
        self.runs = Runs(command)
        self.changes: dict[str, Any] | None = None
        self.skipped: set[tuple[int, int]] = set()
        self.ending = False
        self.at_end: Callable[[], object] = lambda: None
        self.lock = RLock()
        self.labels_path = Path(bucket) / label_file.FILE
        self._clusters_path = Path(bucket) / clustering.FILE
        self._clusters_stamp = stamp_of(self._clusters_path)
        self.view = View(bucket, clustering.read(bucket))
        self.view.begin()
        self._bound_path = state_of(bucket) / BOUND
        self._bound_stamp = stamp_of(self._bound_path)
        self._bound = Bound(self._bound_path)
        self.journal = Journal(state_of(bucket) / "review.jsonl")
        self.edits = 0
        self._read_labels()

    def _read_labels(self) -> None:
        self._labels_stamp = stamp_of(self.labels_path)
        labels, faults = label_file.read(self.labels_path)
        self._written = {label.cells for label in labels}
        self._rows = rows = self.view.rows
        bound = self._bound
        self.decisions = Decisions(
            self.view.clustering,
            labels,
            lambda cells, place: bound.find(cells, place, rows),
        )
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
                self._bound = Bound(self._bound_path)
                self._read_labels()
            elif self.view.rows is not self._rows:  # by which more lines are understood
                before = len(self.decisions.lines)
                self._read_labels()
                self.edits += before != len(self.decisions.lines)

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
            with _noting():
                self.journal.note(edit)
            return self._write(edit, self.journal.undo)

    def apply(self) -> dict[str, Any]:
        """Cluster anew, as the last time. Raises CannotBeDone where a run is at work."""
        from dtst_flow.review.last_settings import config_of  # loads the whole stage

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
            do, back = self.journal.undo, self.journal.redo
            if again:
                do, back = back, do
            with _noting():
                edit = do()
            return self._write(edit, back)

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

    def end(self) -> None:
        """Keep nobody waiting, as the server is about to end."""
        self.ending = True
        self.at_end()

    def close(self) -> None:
        """End what is at work."""
        self.runs.close()

    def pending(self) -> int:
        """How many lines of labels.csv changed since the last run read it."""
        now = {line.cells for line in self.decisions.lines}
        return len(now - self._bound.lines) + len(self._bound.lines - self._written)

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


@contextmanager
def _noting() -> Iterator[None]:
    """What cannot be noted to be undone is not done."""
    try:
        yield
    except OSError as error:
        raise CannotBeDone(f"{error.filename}: {error.strerror}") from error
