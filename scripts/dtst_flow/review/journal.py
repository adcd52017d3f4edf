"""What was done in a review, so that it can be undone, also after a kill of the server."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dtst_flow.review.actions import Edit
from dtst_flow.utils.files import read_bytes, to_json, write_atomic

MOST = 1000
"""Most edits that can be undone."""

LARGEST = 64_000_000
"""Most bytes of the file that are read; one with more is begun anew."""


class Journal:
    """Edits, and how many of them are undone; each step is on the disk before it is done.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        for step in _steps(path):
            self._take(step)
        self._done = self._done[-MOST:]
        both = [*self._done, *reversed(self._undone)]
        if path.exists() or both:
            steps = [asdict(edit) for edit in both] + [{"undo": True}] * self.redos
            lines = b"".join(to_json(step) + b"\n" for step in steps)
            write_atomic(path, lines)

    @property
    def undos(self) -> int:
        """How many edits can be undone."""
        return len(self._done)

    @property
    def redos(self) -> int:
        """How many can be done again."""
        return len(self._undone)

    def note(self, edit: Edit) -> None:
        """Note an edit that is about to be done."""
        self._write(asdict(edit))

    def undo(self) -> Edit:
        """Note that the last edit is about to be undone, and return it reversed."""
        edit = self._done[-1]
        self._write({"undo": True})
        return Edit(add=edit.remove, remove=edit.add)

    def redo(self) -> Edit:
        """Note that what was undone last is about to be done again, and return it."""
        edit = self._undone[-1]
        self._write({"redo": True})
        return edit

    def _write(self, step: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "ab") as file:
            file.write(to_json(step) + b"\n")
        self._take(step)

    def _take(self, step: dict[str, Any]) -> None:
        if "undo" in step and self._done:
            self._undone.append(self._done.pop())
        elif "redo" in step and self._undone:
            self._done.append(self._undone.pop())
        elif "add" in step:
            edit = Edit(
                list(map(_cells, step["add"])), list(map(_cells, step["remove"]))
            )
            self._done.append(edit)
            self._undone.clear()


def _cells(value: Any) -> tuple[str, str, str]:
    relation, image, other = map(str, value)
    return relation, image, other


def _steps(path: Path) -> Iterable[dict[str, Any]]:
    """Yield the steps in a file; the last may be cut short by a kill, and any garbage."""
    try:
        lines = read_bytes(path, LARGEST).split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            step = json.loads(line)
            if isinstance(step, dict):
                Edit(*(list(map(_cells, step.get(x, ()))) for x in ("add", "remove")))
                yield step
        except (RecursionError, TypeError, ValueError):
            continue
