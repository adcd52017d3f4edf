"""Part: the files of one part of a bucket being written, each noted before and after."""

import filecmp
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.entries import Claim, Entry, Row, is_ours, stat_of, unchanged
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.provenance import same_photo
from dtst_flow.dataset.stems import folded
from dtst_flow.utils.files import make_way, temporary, to_json

Sidecar = dict[str, Any] | Callable[[], dict[str, Any]] | None
"""Our keys of a sidecar, as `Part.write` takes them."""


class ForeignFile(Exception):
    """A file of the user's where one of ours should go.

    Attributes:
        file: Its path.
    """

    def __init__(
        self, file: Path, fault: str = "is there already and was not written by dtst"
    ) -> None:
        super().__init__(f"{str(file)!r} {fault}; move it away or choose another --to")
        self.file = file


class Part:
    """One part of a bucket, being written.

    Several processes may write one part at once, each with a Part of its own.

    Args:
        ledgers: The ledgers of the bucket.
        name: The part's name.
    """

    def __init__(self, ledgers: Ledgers, name: str) -> None:
        self.ledgers = ledgers
        self.journal = ledgers.journals / f"{name}.jsonl"
        make_way(self.journal)
        self.known = ledgers.rows(name)
        self._owned: dict[str, Row] | None = None
        self._twins: dict[str, str] = {}

    def keep(self, path: str, key: str) -> Entry | None:
        """Keep a file that is what `key` stands for; None where it has to be written."""
        row = self._last_row(path, self.ledgers.bucket / path)
        if not self.ledgers.is_current(row, key):
            return None
        if path not in self.known:
            self._note(row)  # so far only the ledger of another part has it
        return row

    def write(
        self,
        path: str,
        key: str,
        make: Callable[[], bytes],
        sidecar: Sidecar = None,
    ) -> tuple[Entry, bool]:
        """Bring a file and its sidecar to what `key` stands for.

        Args:
            path: The file, relative to the bucket.
            key: Names all that its content is made from.
            make: Gives the content; called only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `make` is; with
                None the sidecar is left alone.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """
        return self.write_with(path, key, lambda new: new.write_bytes(make()), sidecar)

    def write_with(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: Sidecar = None,
    ) -> tuple[Entry, bool]:
        """Do as `write` for a file that is more than its content, such as a link.

        Args:
            path: The file, relative to the bucket.
            key: Names all that it is made from.
            fill: Makes the file under the name it is given, in the same folder; called
                only if the file is not yet as it should be.
            sidecar: Our keys of its sidecar, or what gives them, called as `fill` is; with
                None the sidecar is left alone.

        Returns:
            The file's entry, and whether the file had to be written.

        Raises:
            ForeignFile: A file of the user's is in the way.
            BrokenSidecar: The sidecar is no JSON object.
        """
        target = self.ledgers.bucket / path
        if self.ledgers.leads_out(path):
            raise ForeignFile(target.parent, "leads out of its bucket by a link")
        if kept := self.keep(path, key):
            return kept, False
        row = self._last_row(path, target)
        ours = sidecar() if callable(sidecar) else sidecar
        if row is None:
            row = self._by_evidence(path, target, ours)
        self._refuse_foreign(target, row, fill, ours)
        return self._write(path, key, fill, ours, row), True

    def _write(
        self,
        path: str,
        key: str,
        fill: Callable[[Path], object],
        sidecar: dict[str, Any] | None,
        row: Row | None,
    ) -> Entry:
        """Write file and sidecar, of which `row` was noted last."""
        target = self.ledgers.bucket / path
        before = row.written if row else ()
        written = before if sidecar is None else (sidecars.signature(sidecar),)
        present = stat_of(target, follow_links=False)
        edited = isinstance(row, Entry) and not unchanged(present, row.stat)
        claim = Claim(path, before + written, (present,), edited)
        self._note(claim)
        with temporary(target) as new:
            fill(new)
            claimed = (present, stat_of(new, follow_links=False))
            claim = replace(claim, claimed=claimed)
            if sidecar is None:
                self._note(claim)
            else:
                content = sidecars.read(target)
                merged = sidecars.merge(content, sidecar, *before)
                if isinstance(row, Entry) and row.key == key and merged != content:
                    claim = replace(claim, restored=True)
                self._note(claim)
                if merged == sidecar:
                    sidecars.write(target, merged, durable=bool(content))
                else:
                    sidecars.edit(target, merged)
            # Not written into: what has the name may be a link to the user's file.
            os.replace(new, target)
        entry = Entry(
            path,
            key,
            stat_of(target, follow_links=False),
            written,
            stat_of(sidecars.path_of(target)),
        )
        self._note(entry)
        return entry

    def _last_row(self, path: str, target: Path) -> Row | None:
        """What was last noted of a path, by whichever part; None of a new one."""
        if path in self.known or not _is_there(target):
            return self.known.get(path)
        if self._owned is None:
            self._owned = self.ledgers.owned()
            self._twins = {folded(other): other for other in self._owned}
        row = self._owned.get(path)
        twin = self._twins.get(folded(path))
        if row is None and twin is not None and self.ledgers.is_one(path, twin):
            row = replace(self._owned[twin], path=path)
        return row

    def _by_evidence(
        self, path: str, target: Path, ours: dict[str, Any] | None
    ) -> Row | None:
        """The row that files give a path of which nothing is noted; None of the user's."""
        evidence = self.ledgers.evidence
        if evidence is None or not _is_there(target):
            return None
        return evidence.row(path, ours, self.ledgers.is_lost())

    def _refuse_foreign(
        self,
        target: Path,
        row: Row | None,
        fill: Callable[[Path], object],
        ours: dict[str, Any] | None,
    ) -> None:
        """Raise ForeignFile if a file or folder of the user's is in the way."""
        for parent in target.relative_to(self.ledgers.bucket).parents:
            folder = self.ledgers.bucket / parent
            if os.path.lexists(folder) and not folder.is_dir():
                raise ForeignFile(folder)
        if row is None and _has_other_provenance(target, ours):
            raise ForeignFile(
                sidecars.path_of(target), "has a provenance that dtst did not write"
            )
        if not os.path.lexists(target) or is_ours(target, row):
            return
        # Its content, too, tells what is ours from before the ledger was lost.
        if not target.is_file() or not _has_content(target, fill):
            raise ForeignFile(target)

    def _note(self, row: Row) -> None:
        self.known[row.path] = row
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(self.journal, "ab") as journal:
            # The line break comes first: it also ends a line that a kill cut short.
            journal.write(b"\n" + to_json(row.to_row()))


def _has_content(path: Path, fill: Callable[[Path], object]) -> bool:
    with temporary(path) as new:
        fill(new)
        return filecmp.cmp(path, new, shallow=False)


def _is_there(target: Path) -> bool:
    """Whether anything has the name of a file or of its sidecar."""
    return any(map(os.path.lexists, (target, sidecars.path_of(target))))


def _has_other_provenance(target: Path, ours: dict[str, Any] | None) -> bool:
    """Whether a sidecar has a provenance that ours would take the place of."""
    if not ours or "provenance" not in ours:
        return False
    said = sidecars.read(target).get("provenance", ours["provenance"])
    return said != ours["provenance"] and not same_photo(said, ours)
